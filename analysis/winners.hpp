// SPDX-License-Identifier: Apache-2.0
// Which kernel is the fastest for which problem, and whether that can be told: the map a user chooses a kernel by.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "analysis/results.hpp"

namespace bench::analysis {

enum class Lead : std::uint8_t {
  clear,         // every rival was shown to be slower
  tied,          // some were not: `tied` of them
  insufficient,  // somebody has fewer than three visits: the least time, and no more is known
};
std::string_view to_text(Lead lead);

/// One problem (op, parameters, ranks, threads) that two or more kernels were measured on.
struct Winner {
  std::vector<std::size_t> order;  // rows of Results::cases, fastest first
  Estimate ahead;                  // the second's time over the first's
  Lead lead = Lead::insufficient;
  std::vector<std::size_t> tied;   // of `order`, those that may be as fast as the first
};

/// In the order of the cases. The first of several is chosen by the same times that are then compared with it, so the p of every pair of rivals is
/// taken and all are adjusted together (Holm over all pairs of all problems): the pair that was chosen is among them. A rival is slower when that
/// is below 5 % and its interval excludes 1, as in `verdict`. Rows on shared cores are no rivals, nor are times of different environments.
std::vector<Winner> find_winners(const RunRecord& run, const Results& results);

}  // namespace bench::analysis
