// SPDX-License-Identifier: Apache-2.0
// From which length (or other size) on is one sweep faster than another, say a scan than attention: as measured, and as the limits of this
// machine foretell. A study asks for it (CrossoverSpec, scaling/study.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/results.hpp"

namespace bench::analysis {

/// One size at which both sweeps have a time: the fastest kernel of each.
struct CrossoverPoint {
  std::int64_t at = 0;                // value of the parameter
  std::size_t own = 0, other = 0;     // rows of Results::cases
  Estimate ratio;                     // the other's time over this sweep's: above 1 this sweep is the faster one
  std::optional<double> limit_ratio;  // the same of their limits, where both were measured
};

enum class Crossing : std::uint8_t {
  found,
  always,     // faster at every size that was measured
  never,      // slower at the largest
  too_little  // fewer than two sizes that both have
};
std::string_view to_text(Crossing crossing);

struct Crossover {
  scaling::CrossoverTag tag;
  std::vector<CrossoverPoint> points;  // ascending
  Crossing crossing = Crossing::too_little;
  std::optional<double> at;            // where it becomes the faster one and stays so; lo and hi: where the ends of the ratios' intervals do,
  std::optional<double> lo, hi;        // absent where that is not among the sizes measured
  Crossing predicted = Crossing::too_little;
  std::optional<double> predicted_at;  // where the ratio of the limits passes 1
};

/// The least x from which on y stays above 0, by a straight line in log x between the two values around it. x ascends and is positive.
struct LineCrossing {
  Crossing crossing = Crossing::too_little;
  double at = 0.0;  // if found
};
LineCrossing last_upward_crossing(std::span<const double> x, std::span<const double> y);

/// One for every two curves, over the parameter, of a sweep and of the one it is held against, that have batch, dtype, pass, ranks and threads in
/// common. Sizes where one of them has no time of its own cores, or only one of another environment, are left out.
std::vector<Crossover> find_crossovers(const RunRecord& run, const Results& results);

}  // namespace bench::analysis
