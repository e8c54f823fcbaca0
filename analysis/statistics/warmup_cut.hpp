// SPDX-License-Identifier: Apache-2.0
// How many samples at the start of a series belong to warming up? MSER-5 (White 1997; White, Cobb & Spratt
// 2000): cut where the standard error of what is left is smallest. On noise it cuts too, wherever the score
// happens to be lowest, so a cut is made only when rank tests say that the start differs from the rest.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace bench::analysis {

inline constexpr std::int64_t kMserBatch = 5;  // samples

/// score[d] = sum_{j >= d} (z_j - mean_d)^2 / (k - d)^2 for d = 0..k/2, mean_d that of z_d..z_(k-1): the
/// squared standard error of the mean when the first d of k values are cut. O(k). Empty for no values.
std::vector<double> mser_scores(std::span<const double> z);

struct Mser5 {
  std::int64_t batches = 0;  // k: whole batches of 5; up to 4 samples at the end are not looked at
  std::int64_t cut = 0;      // d*, in batches: the first of the smallest scores
};
/// mser_scores of the means of batches of 5. A series with a value that is not finite is not cut.
Mser5 mser5(std::span<const double> samples);

struct WarmupCut {
  std::int64_t samples = 0;  // to mark as warm-up, from the first: 5 d*, or 0 when the tests do not agree
  std::int64_t batches = 0;  // k
  double p = 1.0;            // of the gate; 1 when d* = 0
  bool unsteady = false;     // it never settled: d* at its limit k/2, k >= 25, and all it cuts is different
};
/// MSER-5, believed when the gate's p < 0.01. The gate compares what comes after the cut with the first d*
/// batches, d*/2, d*/4, ..., 1 by mann_whitney and takes the smallest p times the number of tests
/// (Bonferroni). Testing all d* batches alone is weaker on both sides: MSER often cuts far past a short
/// warm-up, whose few samples then drown. Simulated at n = 32..1024 with a spread of 2 %, 2000 series or
/// more: ten samples that fall from +30 % are found in 1.00 of series so, and in 0.85..0.93 alone; noise is
/// cut in 0.012..0.017, and in 0.015..0.026 alone. `unsteady` does ask for p < 0.01 of all d* batches. Below
/// 25 batches noise alone puts d* at its limit too often (8 % of series of 12 batches) for that to mean
/// anything.
WarmupCut warmup_cut(std::span<const double> samples);

}  // namespace bench::analysis
