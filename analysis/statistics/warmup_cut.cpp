// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/warmup_cut.hpp"

#include <algorithm>
#include <cmath>

#include "analysis/statistics/moments.hpp"
#include "analysis/statistics/quantiles.hpp"
#include "analysis/statistics/rank_tests.hpp"

namespace bench::analysis {
namespace {

constexpr double kGateLevel = 0.01;
constexpr std::int64_t kFewestBatchesForUnsteady = 25;

std::vector<double> batch_means(std::span<const double> samples) {
  constexpr auto kSize = static_cast<std::size_t>(kMserBatch);
  std::vector<double> means;
  for (std::size_t first = 0; first + kSize <= samples.size(); first += kSize)
    means.push_back(moments_of(samples.subspan(first, kSize)).mean);
  return means;
}

std::size_t samples_in(std::int64_t batches) {
  return static_cast<std::size_t>(kMserBatch * batches);
}

}  // namespace

std::vector<double> mser_scores(std::span<const double> z) {
  std::vector<double> scores(z.empty() ? 0 : z.size() / 2 + 1);
  double mean = 0.0, squares = 0.0, n = 0.0;  // of z_d.., grown from the last value (Welford 1962)
  for (std::size_t d = z.size(); d-- > 0;) {
    n += 1.0;
    const double before = z[d] - mean;
    mean += before / n;
    squares += before * (z[d] - mean);
    if (d < scores.size()) scores[d] = squares / (n * n);
  }
  return scores;
}

Mser5 mser5(std::span<const double> samples) {
  const std::vector<double> z = batch_means(samples);
  Mser5 result{static_cast<std::int64_t>(z.size()), 0};
  const bool known = std::all_of(samples.begin(), samples.end(), [](double x) { return std::isfinite(x); });
  if (z.size() < 2 || !known) return result;
  const std::vector<double> scores = mser_scores(z);
  result.cut = std::min_element(scores.begin(), scores.end()) - scores.begin();
  return result;
}

WarmupCut warmup_cut(std::span<const double> samples) {
  const Mser5 found = mser5(samples);
  WarmupCut result{0, found.batches, 1.0, false};
  if (found.cut == 0 || !varies(samples)) return result;
  const std::span<const double> rest = samples.subspan(samples_in(found.cut));
  const double p_of_all = mann_whitney(samples.first(samples_in(found.cut)), rest).p;
  double smallest = p_of_all, tests = 1.0;
  for (std::int64_t d = found.cut / 2; d >= 1; d /= 2) {
    smallest = std::min(smallest, mann_whitney(samples.first(samples_in(d)), rest).p);
    tests += 1.0;
  }
  result.p = std::min(1.0, tests * smallest);
  if (result.p >= kGateLevel) return result;
  result.samples = kMserBatch * found.cut;
  const bool at_limit = found.batches >= kFewestBatchesForUnsteady && found.cut == found.batches / 2;
  result.unsteady = at_limit && p_of_all < kGateLevel;
  return result;
}

}  // namespace bench::analysis
