// SPDX-License-Identifier: Apache-2.0
// How much of an exchange is hidden behind the compute, as measured: of cases whose parts (`part`: compute, exchange) a study has timed beside the whole call.
// A wait that looks short says nothing of it: a core that moves bytes itself does so while it polls, and computes that much later.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "analysis/results.hpp"

namespace bench::analysis {

/// One call and its parts, T, Tc and Tm seconds; rows of Results::cases that have times of their own cores.
struct Overlap {
  std::size_t row = 0;  // the first of the three that is there
  std::optional<std::size_t> whole, compute, exchange;
  /// (Tc + Tm - T) / min(Tc, Tm): 1 when the shorter part is hidden to the end, 0 when one waits for the other, below 0 when they also slow each other down.
  std::optional<Estimate> overlap;
  /// 1 - Tc / T: the share of the call by which exchanging makes it longer.
  std::optional<Estimate> exposed;
};

/// Of calls that have a part, in the order of their rows.
std::vector<Overlap> find_overlaps(const RunRecord& run, const Results& results);

/// Overlap::overlap of three times. Its interval has every value that it takes while each time lies in its own: at the confidence at which all three do
/// together (Bonferroni). Without one when a time has none.
Estimate overlap_of(const Estimate& whole, const Estimate& compute, const Estimate& exchange);

/// What each of three intervals needs for all to hold together at `confidence`.
inline double each_of_three(double confidence) { return 1.0 - (1.0 - confidence) / 3.0; }

}  // namespace bench::analysis
