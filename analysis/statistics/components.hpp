// SPDX-License-Identifier: Apache-2.0
// Where does the spread come from: from sample to sample inside a launch, or from launch to launch? Samples
// of one launch share its memory placement, its clocks and its neighbours, so a hundred of them are worth far
// fewer than a hundred independent ones. The analysis of variance with one random factor says how many.
#pragma once

#include <optional>
#include <span>
#include <vector>

namespace bench::analysis {

struct Components {
  double mean = 0.0;        // of the launch means; the two half widths are about it
  double f = 0.0;           // ms_between / ms_within; infinite when only launches differ
  double p = 1.0;           // P(F >= f) when launches do not differ
  double ms_between = 0.0;  // unit of the samples, squared
  double ms_within = 0.0;
  double icc = 0.0;                // share of the variance that is between launches; may be below 0 by chance
  double design_effect = 1.0;      // samples of these launches per independent one: 1 + (n0 - 1) max(icc, 0)
  double launch_half_width = 0.0;  // t_{K-1} sd(launch means) / sqrt(K): the honest one
  double naive_half_width = 0.0;   // t_{N-1} sd(all) / sqrt(N): as if all samples were independent
};

/// One-way random effects over K launches of n_i samples, N together (Searle, Casella & McCulloch 1992):
/// icc = (MSB - MSW) / (MSB + (n0 - 1) MSW), n0 = (N - sum n_i^2 / N) / (K - 1), which is n for equal n_i.
/// nullopt for fewer than two launches, an empty one, N = K, or a sample that is not finite.
std::optional<Components> launch_components(std::span<const std::vector<double>> launches, double confidence);

}  // namespace bench::analysis
