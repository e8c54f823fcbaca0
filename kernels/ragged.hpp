// SPDX-License-Identifier: Apache-2.0
// What every op means by "ragged" and by "random order": integers that are drawn, functions of their arguments alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "kernels/problem.hpp"
#include "src/core/error.hpp"
#include "src/core/rng.hpp"

namespace bench {

/// Draw i of 0 .. count - 1, each as likely as the others to within 2^-32 count.
inline std::int64_t pick(const CounterRng& rng, std::int64_t i, std::int64_t count) {
  const double drawn = rng.uniform(static_cast<std::uint64_t>(i)) * static_cast<double>(count);
  return std::min(static_cast<std::int64_t>(drawn), count - 1);
}

/// Lengths of `count` sequences: the first is `longest`, the others are drawn from 1..longest, each as likely.
inline std::vector<std::int64_t> ragged_lengths(std::int64_t count, std::int64_t longest) {
  const CounterRng rng(1, "lengths");
  std::vector<std::int64_t> lengths;
  for (std::int64_t i = 0; i < count; ++i) lengths.push_back(i == 0 ? longest : 1 + pick(rng, i, longest));
  return lengths;
}

/// `count` different places of 1 .. extent - 1, ascending, each set of them as likely (Floyd, in Bentley and Floyd 1987).
inline std::vector<std::int64_t> ragged_cuts(std::int64_t count, std::int64_t extent) {
  const CounterRng rng(1, "cuts");
  std::vector<std::int64_t> cuts;
  for (std::int64_t last = extent - count; last < extent; ++last) {
    const std::int64_t drawn = 1 + pick(rng, last, last);
    const auto at = std::ranges::lower_bound(cuts, drawn);
    if (at != cuts.end() && *at == drawn)
      cuts.push_back(last);  // larger than all before
    else
      cuts.insert(at, drawn);
  }
  return cuts;
}

/// Parameter segments: where of so many sequences, packed along `extent` places, all but the first begin; a usage error where they do not fit.
inline std::vector<std::int64_t> parse_segments(const Params& params, std::int64_t extent) {
  const std::int64_t segments = positive(params, "segments");
  if (segments > extent) usage_error(concat("segments = ", segments, "; allowed: 1 to seq = ", extent));
  return ragged_cuts(segments - 1, extent);
}

/// cu_seqlens (segments + 1): where each of them begins, and the extent.
inline IndexTable cu_seqlens(const std::vector<std::int64_t>& starts, std::int64_t extent) {
  IndexTable table{"cu_seqlens", {static_cast<std::int64_t>(starts.size()) + 2}, {0}};
  table.values.insert(table.values.end(), starts.begin(), starts.end());
  table.values.push_back(extent);
  return table;
}

/// 0 .. count - 1 in random order (Fisher and Yates).
template <class Index>
std::vector<Index> random_order(const CounterRng& rng, std::int64_t count) {
  std::vector<Index> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), Index{0});
  for (std::int64_t i = count - 1; i > 0; --i)
    std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(pick(rng, i, i + 1))]);
  return order;
}

}  // namespace bench
