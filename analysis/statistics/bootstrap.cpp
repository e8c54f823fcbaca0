// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/bootstrap.hpp"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <vector>

#include "analysis/statistics/moments.hpp"
#include "analysis/statistics/quantiles.hpp"
#include "src/core/error.hpp"

namespace bench::analysis {
namespace {

__extension__ using Product = unsigned __int128;

constexpr double kIndependentTau = 1.2;
constexpr std::int64_t kFewestBlocks = 6;  // as many as the median's own interval needs at 95 %
constexpr std::size_t kMostGroups = 1024;

/// Fills `resample` with blocks of `block` neighbours that start anywhere in the series.
void draw(SplitMix64& random, std::span<const double> samples, std::size_t block,
          std::vector<double>& resample) {
  const std::uint64_t starts = samples.size() - block + 1;
  for (std::size_t filled = 0; filled < resample.size();) {
    const std::size_t start = random.index(starts);
    const std::size_t count = std::min(block, resample.size() - filled);
    std::copy_n(samples.begin() + static_cast<std::ptrdiff_t>(start), count,
                resample.begin() + static_cast<std::ptrdiff_t>(filled));
    filled += count;
  }
}

/// The statistic without each group of `group` neighbours in turn.
std::vector<double> jackknife(std::span<const double> samples, const Statistic& statistic,
                              std::size_t group) {
  std::vector<double> values, kept;
  for (std::size_t first = 0; first < samples.size(); first += group) {
    const std::size_t last = std::min(first + group, samples.size());
    const std::span<const double> before = samples.first(first), after = samples.subspan(last);
    kept.assign(before.begin(), before.end());
    kept.insert(kept.end(), after.begin(), after.end());
    values.push_back(statistic(kept));
  }
  return values;
}

/// Sum of cubes over 6 (sum of squares)^1.5 of the values' distances below their mean; nullopt when all
/// agree.
std::optional<double> acceleration(std::span<const double> jackknifed) {
  const double mean = moments_of(jackknifed).mean;
  double squares = 0.0, cubes = 0.0;
  for (const double value : jackknifed) {
    const double below = mean - value;
    squares += below * below;
    cubes += below * below * below;
  }
  if (!std::isfinite(squares) || squares <= 0.0) return std::nullopt;
  return cubes / (6.0 * std::pow(squares, 1.5));
}

std::optional<Interval> bca_interval(std::span<const double> ascending, double estimate,
                                     std::span<const double> jackknifed, double confidence) {
  const std::optional<double> a = acceleration(jackknifed);
  const auto [low, high] = std::equal_range(ascending.begin(), ascending.end(), estimate);
  const auto below = static_cast<double>((low - ascending.begin()) + (high - ascending.begin())) / 2.0;
  const double share = below / static_cast<double>(ascending.size());
  if (!a || share <= 0.0 || share >= 1.0) return std::nullopt;
  const boost::math::normal_distribution<double> normal;
  const double z0 = boost::math::quantile(normal, share), z = z_two_sided(confidence);
  const auto level = [&](double from_middle) {
    return boost::math::cdf(normal, z0 + (z0 + from_middle) / (1.0 - *a * (z0 + from_middle)));
  };
  if (*a * (z0 + z) >= 1.0 || *a * (z0 - z) >= 1.0) return std::nullopt;  // past the pole: no longer monotone
  return finite_interval(quantile(ascending, level(-z)), quantile(ascending, level(z)), confidence);
}

}  // namespace

std::uint64_t SplitMix64::next() {
  state += 0x9e3779b97f4a7c15U;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
  mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
  return mixed ^ (mixed >> 31U);
}

std::uint64_t SplitMix64::index(std::uint64_t n) {
  return static_cast<std::uint64_t>((static_cast<Product>(next()) * n) >> 64U);
}

std::int64_t block_length(double tau) {
  return tau < kIndependentTau ? 1 : static_cast<std::int64_t>(std::ceil(2.0 * tau));
}

Bootstrap bootstrap(std::span<const double> samples, const Statistic& statistic,
                    const BootstrapOptions& options) {
  BS_REQUIRE(options.resamples >= 2 && options.block >= 1, "at least 2 resamples of blocks of at least 1");
  BS_REQUIRE(options.confidence > 0.0 && options.confidence < 1.0, "a confidence lies between 0 and 1");
  Bootstrap result;
  if (samples.empty()) return result;
  const std::size_t block = std::min(samples.size(), static_cast<std::size_t>(options.block));
  std::vector<double> values(static_cast<std::size_t>(options.resamples)), resample(samples.size());
  SplitMix64 random{options.seed};
  for (double& value : values) {
    draw(random, samples, block, resample);
    value = statistic(resample);
  }
  const Moments moments = moments_of(values);
  result.estimate = statistic(samples);
  result.mean = moments.mean;
  result.standard_error = moments.sd;
  const bool enough = static_cast<std::int64_t>(samples.size()) / options.block >= kFewestBlocks;
  if (!enough || !std::isfinite(moments.sd) || !std::isfinite(result.estimate)) return result;
  std::sort(values.begin(), values.end());
  const double tail = (1.0 - options.confidence) / 2.0;
  result.percentile =
      finite_interval(quantile(values, tail), quantile(values, 1.0 - tail), options.confidence);
  const std::size_t group = std::max(block, (samples.size() + kMostGroups - 1) / kMostGroups);
  result.bca =
      bca_interval(values, result.estimate, jackknife(samples, statistic, group), options.confidence);
  return result;
}

}  // namespace bench::analysis
