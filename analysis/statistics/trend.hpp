// SPDX-License-Identifier: Apache-2.0
// Does a series move while it is taken? Trend, slope, runs and one change point, all without a distribution.
// Series are in the order they were taken. A series too short or too equal to tell, or with a value that is
// not finite, has no trend: z = 0, p = 1, slope 0. The p values hold for independent samples; dependent ones
// make every test here reject too often.
#pragma once

#include <cstdint>
#include <span>

namespace bench::analysis {

/// Mann (1945), Kendall (1975): s = number of pairs that rise minus number that fall.
struct MannKendall {
  std::int64_t s = 0;
  double variance = 0.0;  // of s without a trend: (n(n-1)(2n+5) - sum over ties t(t-1)(2t+5)) / 18
  double z = 0.0;         // (s -+ 1) / sqrt(variance): continuity corrected towards 0
  double p = 1.0;         // two-sided, normal approximation
};
/// O(n log n): falling pairs are counted while merging.
MannKendall mann_kendall(std::span<const double> x);

/// Median of (x_j - x_i) / (j - i) over all pairs, in units of x per sample (Theil 1950, Sen 1968). Pairs
/// grow with n^2, so a series longer than 1024 is thinned to 1024 samples at equally spaced indices, both
/// ends among them: half a million slopes whatever n, of which only those near the median are made.
double theil_sen_slope(std::span<const double> x);

/// Wald & Wolfowitz (1940): runs above and below the median; values equal to it are dropped.
struct RunsTest {
  std::int64_t runs = 0, above = 0, below = 0;
  double z = 0.0;  // below 0: too few runs, neighbours are alike; no continuity correction
  double p = 1.0;  // two-sided, normal approximation
};
RunsTest runs_test(std::span<const double> x);
/// The same when the median of x is known.
RunsTest runs_test(std::span<const double> x, double median);

/// Pettitt (1979): the most likely single change of level.
struct Pettitt {
  std::int64_t k = 0;      // max_t |U_t|, U_t = sum_{i <= t < j} sgn(x_i - x_j)
  std::int64_t index = 0;  // 0-based, of the last sample before the change; the first one that reaches k
  double p = 1.0;          // min(1, 2 exp(-6 k^2 / (n^3 + n^2)))
};
/// O(n log n): U_t = 2 (sum of the first t ranks) - t (n + 1), ties at their mean rank.
Pettitt pettitt(std::span<const double> x);

}  // namespace bench::analysis
