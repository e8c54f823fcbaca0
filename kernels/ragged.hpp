// SPDX-License-Identifier: Apache-2.0
// Batches whose sequences are not equally long: what every op means by "ragged".
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "src/core/rng.hpp"

namespace bench {

/// Lengths of `count` sequences, a function of the two numbers alone: the first is `longest`, the others are
/// drawn from 1..longest, each as likely.
inline std::vector<std::int64_t> ragged_lengths(std::int64_t count, std::int64_t longest) {
  const CounterRng rng(1, "lengths");
  std::vector<std::int64_t> lengths;
  for (std::int64_t i = 0; i < count; ++i) {
    const double drawn = rng.uniform(static_cast<std::uint64_t>(i)) * static_cast<double>(longest);
    lengths.push_back(i == 0 ? longest : std::min(1 + static_cast<std::int64_t>(drawn), longest));
  }
  return lengths;
}

}  // namespace bench
