// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/warmup_cut.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "analysis/statistics/rank_tests.hpp"
#include "src/core/rng.hpp"
#include "tests/analysis/known_answers.hpp"

namespace bench::analysis {
namespace {

const std::vector<double> kBatchMeans{23.4, 14.1, 11.3, 10, 10.2, 9.9, 10.1, 9.8};

/// `n` independent times about 1 s with relative spread 2 %.
std::vector<double> steady(std::uint64_t seed, std::size_t n) {
  const CounterRng rng(seed, "warmup");
  std::vector<double> times;
  for (std::size_t i = 0; i < n; ++i) times.push_back(1.0 + 0.02 * rng.normal(i));
  return times;
}

/// The first 10 samples slow, by 30 % falling in a line to nothing.
std::vector<double> ramped(std::uint64_t seed, std::size_t n) {
  std::vector<double> times = steady(seed, n);
  for (std::size_t i = 0; i < 10; ++i) times[i] += 0.3 * (1.0 - static_cast<double>(i) / 10.0);
  return times;
}

std::vector<double> repeated(const std::vector<double>& batch_means) {
  std::vector<double> samples;
  for (const double mean : batch_means) samples.insert(samples.end(), 5, mean);
  return samples;
}

TEST(Mser5, ScoresOfAWarmUpAreTheKnownOnes) {
  const std::vector<double> scores = mser_scores(kBatchMeans);
  ASSERT_EQ(scores.size(), 5U);
  expect_close(scores[0], 2.4059375);
  expect_close(scores[1], 0.2945772594752187);
  expect_close(scores[2], 0.0418981481481482);
  expect_close(scores[3], 0.004);
  expect_close(scores[4], 0.00625);
}

TEST(Mser5, CutsAtTheSmallestScore) {
  const Mser5 result = mser5(repeated(kBatchMeans));
  EXPECT_EQ(result.batches, 8);
  EXPECT_EQ(result.cut, 3);
  const WarmupCut cut = warmup_cut(repeated(kBatchMeans));
  EXPECT_EQ(cut.samples, 15);
  EXPECT_LT(cut.p, 0.01);
}

TEST(Mser5, TakesTheFirstOfEqualScoresAndNeverMoreThanHalf) {
  EXPECT_EQ(mser5(std::vector<double>(50, 0.1)).cut, 0);  // all scores 0
  std::vector<double> falling(50);
  std::iota(falling.rbegin(), falling.rend(), 1.0);
  EXPECT_EQ(mser5(falling).cut, 5);  // each sample is nearer the end than the one before
}

TEST(Mser5, LeavesOutAnIncompleteLastBatch) {
  std::vector<double> samples = repeated(kBatchMeans);
  samples.insert(samples.end(), 4, 1e6);
  EXPECT_EQ(mser5(samples).batches, 8);
  EXPECT_EQ(mser5(samples).cut, 3);
}

TEST(WarmupCut, OfTooFewOrDamagedSamplesIsNone) {
  for (const std::size_t n : {0U, 1U, 5U, 9U}) {  // nothing; one; one batch; not quite two
    const WarmupCut cut = warmup_cut(steady(1, n));
    EXPECT_EQ(cut.samples, 0) << n;
    EXPECT_EQ(cut.p, 1.0) << n;
  }
  std::vector<double> damaged = ramped(1, 100);
  damaged[40] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(warmup_cut(damaged).samples, 0);
}

TEST(WarmupCut, IsGatedByARankTest) {
  std::vector<double> samples = steady(2, 100);
  samples[0] = 2.0;  // one slow first sample moves MSER, but four of the five it would cut are like the rest
  EXPECT_EQ(mser5(samples).cut, 1);
  EXPECT_EQ(warmup_cut(samples).samples, 0);
  EXPECT_GE(warmup_cut(samples).p, 0.01);
}

TEST(WarmupCut, SeesAShortWarmUpThatDrownsAmongAllThatMserCuts) {
  int drowned = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const std::vector<double> samples = ramped(seed, 64);
    const auto count = static_cast<std::size_t>(5 * mser5(samples).cut);
    const std::span<const double> all(samples);
    drowned += mann_whitney(all.first(count), all.subspan(count)).p >= 0.01;
    EXPECT_EQ(warmup_cut(samples).samples, static_cast<std::int64_t>(count)) << seed;
  }
  EXPECT_GE(drowned, 5) << "the series do not show the difference";  // about 15 expected
}

TEST(WarmupCut, CallsASeriesThatNeverSettlesUnsteady) {
  std::vector<double> samples = steady(3, 125);  // 25 batches: the fewest that can say so
  for (std::size_t i = 0; i < samples.size(); ++i) samples[i] += 0.01 * static_cast<double>(125 - i);
  const WarmupCut cut = warmup_cut(samples);
  EXPECT_EQ(cut.batches, 25);
  EXPECT_EQ(cut.samples, 60);  // half of the batches, rounded down
  EXPECT_TRUE(cut.unsteady);
  const WarmupCut shorter = warmup_cut(std::span(samples).first(120));
  EXPECT_EQ(shorter.samples, 60);
  EXPECT_FALSE(shorter.unsteady) << "24 batches are too few to tell";
  EXPECT_FALSE(warmup_cut(ramped(4, 125)).unsteady) << "it settles after 10 samples";
}

/// Independent times about 1 s, spread 2 %, 500 series of each length with fixed seeds. 4000 series (2000
/// with a warm-up) gave: cut though steady 0.012 (n = 32), 0.017 (64), 0.017 (128), 0.012 (250), 0.013 (512),
/// 0.013 (1024); a warm-up of ten samples found 1.000 throughout. The binomial error of 500 series at 0.015
/// is 0.005.
class WarmupCutOnSyntheticTimes : public testing::TestWithParam<std::size_t> {};

TEST_P(WarmupCutOnSyntheticTimes, RarelyCutsSteadyTimes) {
  int cut = 0;
  for (std::uint64_t seed = 0; seed < 500; ++seed) cut += warmup_cut(steady(seed, GetParam())).samples > 0;
  EXPECT_LE(cut, 10) << "of 500";
}

TEST_P(WarmupCutOnSyntheticTimes, FindsARampOfTenSamples) {
  int found = 0;
  for (std::uint64_t seed = 0; seed < 500; ++seed)
    found += warmup_cut(ramped(seed, GetParam())).samples >= 10;  // all of it
  EXPECT_GE(found, 495) << "of 500";
}

INSTANTIATE_TEST_SUITE_P(Lengths, WarmupCutOnSyntheticTimes,
                         testing::Values(32U,      // the first look of the stop rule
                                         64U,      // d* over several halvings, exact p
                                         128U,     // still exact
                                         256U,     // p by the normal approximation
                                         1024U));  // the longest visit

}  // namespace
}  // namespace bench::analysis
