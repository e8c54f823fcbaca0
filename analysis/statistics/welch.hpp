// SPDX-License-Identifier: Apache-2.0
// Means of two samples: are they different, by how much, and how much is that against the spread? Every
// function looks at `a` relative to `b` (a - b, a / b). Fewer than two values on a side, or a value that is
// not finite, gives NaN and no interval.
#pragma once

#include <span>

#include "analysis/statistics/ratio.hpp"

namespace bench::analysis {

struct MeanTest {
  double t = 0.0;  // infinite when neither side varies and the means differ
  double degrees_of_freedom = 0.0;
  double p = 1.0;       // two-sided
  Estimate difference;  // mean(a) - mean(b)
};

/// Welch (1947): t = (mean a - mean b) / sqrt(va + vb), va = s_a^2 / n_a, with the degrees of freedom of
/// Welch & Satterthwaite (va + vb)^2 / (va^2/(n_a - 1) + vb^2/(n_b - 1)). The spreads may differ.
MeanTest welch_t(std::span<const double> a, std::span<const double> b, double confidence);

/// Student's t with the pooled variance and n_a + n_b - 2 degrees of freedom. The spreads must not differ.
MeanTest pooled_t(std::span<const double> a, std::span<const double> b, double confidence);

/// P(|T| >= |t|) for Student's t; 0 for an infinite t, NaN for a NaN.
double t_two_sided_p(double t, double degrees_of_freedom);

/// Cohen's d: (mean a - mean b) / pooled sd. 0 when the means are equal, NaN when only the sd is 0.
double cohens_d(std::span<const double> a, std::span<const double> b);

/// Hedges (1981): d J(f), f = n_a + n_b - 2, nearly unbiased for normal samples. J(f) = 1 - 3/(4f - 1) is his
/// own approximation of Gamma(f/2) / (sqrt(f/2) Gamma((f-1)/2)), and what other tools print; it is above the
/// exact J by 0.06 % at f = 8 and by 0.01 % at f = 18. NaN for fewer than four values in all.
double hedges_g(std::span<const double> a, std::span<const double> b);

struct FiellerRatio {
  Estimate estimate;  // mean(a) / mean(b)
  double degrees_of_freedom = 0.0;
};
/// Fieller (1954): the values R for which mean(a) - R mean(b) is not significantly different from 0, with
/// variance va + r^2 vb and Welch & Satterthwaite's degrees of freedom at r = mean(a) / mean(b):
/// (r +- t/mean(b) sqrt(va + r^2 vb - g va)) / (1 - g), g = t^2 vb / mean(b)^2. No interval for g >= 1:
/// mean(b) is then not told from 0.
FiellerRatio fieller(std::span<const double> a, std::span<const double> b, double confidence);

}  // namespace bench::analysis
