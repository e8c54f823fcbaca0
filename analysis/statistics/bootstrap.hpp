// SPDX-License-Identifier: Apache-2.0
// The bootstrap: how much would a statistic vary if the series were measured again? For statistics without an
// interval of their own. Reproducible to the bit: the generator and the way an index is drawn are part of the
// definition.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>

#include "analysis/statistics/intervals.hpp"

namespace bench::analysis {

/// SplitMix64 (Steele, Lea & Flood, OOPSLA 2014): seed 1234567 gives 6457827717110365317 first.
struct SplitMix64 {
  std::uint64_t state = 0;

  std::uint64_t next();
  /// 0..n-1: the upper 64 bits of the 128-bit product u n. Its bias is below n / 2^64.
  std::uint64_t index(std::uint64_t n);
};

/// Of a resample as long as the series; its order is the series' own inside a block.
using Statistic = std::function<double(std::span<const double>)>;

struct BootstrapOptions {
  std::int64_t resamples = 10000;
  std::uint64_t seed = 1;
  double confidence = 0.95;
  std::int64_t block = 1;  // samples drawn together: block_length(tau) for dependent ones
};

/// Length of the blocks that keep most of a dependence of integrated time tau: ceil(2 tau), or 1 for tau
/// < 1.2, which is as good as independent (autocorrelation.hpp).
std::int64_t block_length(double tau);

struct Bootstrap {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

  double estimate = kNone;             // of the series itself
  double mean = kNone;                 // over resamples; mean - estimate is the bias
  double standard_error = kNone;       // sd over resamples, with resamples - 1
  std::optional<Interval> percentile;  // type-7 quantiles of the resamples at (1 -+ confidence) / 2
  std::optional<Interval> bca;         // bias-corrected and accelerated (Efron 1987)
};

/// Efron (1979); blocks of more than one sample start anywhere (moving blocks: Kunsch 1989), as many as fill
/// the series, the last one cut short. BCa: z0 from the share of resamples below the estimate, ties half;
/// acceleration from the skewness of delete-one-group values, a group being a block, or n / 1024 samples
/// where that is longer, so that a long series costs no more than 1024 further evaluations. Intervals need 6
/// blocks' worth of samples and finite values; BCa also needs resamples on both sides of the estimate, and a
/// statistic that some group changes. An empty series gives NaN. Throws Error(internal) for fewer than 2
/// resamples, a block below 1 or a confidence outside (0, 1).
Bootstrap bootstrap(std::span<const double> samples, const Statistic& statistic,
                    const BootstrapOptions& options = {});

}  // namespace bench::analysis
