// SPDX-License-Identifier: Apache-2.0
// The protocol of a measurement in synthetic time: which samples count, on whose clock, and why it ended.
#include "jobs/sampler.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "analysis/sample_times.hpp"
#include "analysis/statistics/quantiles.hpp"
#include "tests/jobs/synthetic_rig.hpp"

namespace bench::jobs {
namespace {

using analysis::VisitRecord;

double median_of(const std::vector<double>& values) { return analysis::median(analysis::sorted(values)); }
std::int64_t flagged(const VisitRecord& visit, std::int64_t bit) {
  return std::ranges::count_if(visit.flags, [bit](std::int64_t flags) { return (flags & bit) != 0; });
}
constexpr std::int64_t kBefore = 3;  // calls before the first sample: one that is checked, two of warm-up

TEST(Sampler, SteadyWorkConvergesAtTheFirstLook) {
  const VisitRecord visit = synthetic_visit({{.work = {.sd_log = 0.01}}});
  EXPECT_EQ(visit.outcome, Outcome::ok) << visit.reason;
  EXPECT_EQ(visit.stop_reason, "converged");
  EXPECT_EQ(visit.flags.size(), 32U);
  EXPECT_EQ(visit.sync, "none");
  EXPECT_TRUE(visit.rank_start_s.empty());
  EXPECT_NEAR(median_of(analysis::valid_times(visit)), 1e-3, 1e-5);
}

TEST(Sampler, NoisyWorkGoesOnToTheLastLookAndSaysSo) {
  const VisitRecord visit = synthetic_visit({{.work = {.sd_log = 0.5}}});
  EXPECT_EQ(visit.stop_reason, "max_samples");
  EXPECT_EQ(visit.flags.size(), 256U);
}

TEST(Sampler, CutsAWarmUpThatItFindsInTheData) {
  const VisitRecord visit = synthetic_visit({{.work = {.sd_log = 0.02, .ramp = 0.5, .ramp_calls = 13}}});  // 3 calls before, 10 samples
  EXPECT_EQ(visit.stop_reason, "converged");
  EXPECT_GE(flagged(visit, analysis::kWarmup), 5);
  EXPECT_LE(flagged(visit, analysis::kWarmup), 15) << "the ramp is 10 samples long; batches have 5";
  EXPECT_EQ(analysis::valid_times(visit).size(), 32U) << "looks count what is left";
}

TEST(Sampler, AWarmUpGivenByTheCaseIsTakenLiterally) {
  scaling::Case c = toy::make_case("toy/right", 1);
  c.params["warmup"] = std::int64_t{5};
  scaling::RunSettings settings = synthetic_settings();
  settings.warmup_time = 1.0;
  const VisitRecord visit = synthetic_visit({{.work = {.sd_log = 0.02, .ramp = 0.5, .ramp_calls = 20}}}, c, settings);
  EXPECT_EQ(visit.warmup_calls, 5) << "a time for the warm-up must not add calls to an axis of calls";
  EXPECT_EQ(flagged(visit, analysis::kWarmup), 0) << "the study is about what a short warm-up does to the samples";
}

TEST(Sampler, NoWarmUpAtAllIsPossible) {
  scaling::Case c = toy::make_case("toy/right", 1);
  c.params["warmup"] = std::int64_t{0};
  const VisitRecord visit = synthetic_visit({{.work = {.ramp = 1.0, .ramp_calls = 2}}}, c);  // the checked call takes 2 ms, the next 1.5 ms
  EXPECT_EQ(visit.warmup_calls, 0);
  EXPECT_NEAR(analysis::sample_times(visit).front(), 1.5e-3, 1e-6) << "the call after the checked one is a sample";
}

TEST(Sampler, AKernelThatFailsWhileItIsTimedIsARowWithoutTimes) {
  for (const std::size_t ranks : {1U, 2U}) {
    const std::vector<RankScript> scripts(ranks, {.extra = [](std::int64_t call) -> double {
                                            if (call == kBefore + 5) throw std::runtime_error("it fell over late");
                                            return 0.0;
                                          }});
    const VisitRecord visit = synthetic_visit(scripts);
    EXPECT_EQ(visit.outcome, Outcome::crashed);
    EXPECT_EQ(visit.reason, "it fell over late");
    EXPECT_TRUE(visit.rank_time_s.empty());
    EXPECT_TRUE(visit.flags.empty());
  }
}

TEST(Sampler, WarmsUpForAsLongAsAsked) {
  scaling::RunSettings settings = synthetic_settings();
  settings.warmup_time = 0.0105;  // more than ten calls of 1 ms
  EXPECT_EQ(synthetic_visit({{}}, settings).warmup_calls, 11);
}

TEST(Sampler, CallsADriftADrift) {
  const VisitRecord visit = synthetic_visit({{.work = {.sd_log = 0.005, .drift_per_call = 0.002}}});  // 50 % over 256 samples
  EXPECT_EQ(visit.stop_reason, "drift");
}

TEST(Sampler, MarksTimesThatTheClockCannotTell) {
  scaling::Case c = toy::make_case("toy/right", 1);
  c.params["cache"] = std::string("cold");  // cold samples are single calls: no batching can help
  const VisitRecord visit = synthetic_visit({{.work = {.median_s = 100e-9}}}, c);
  EXPECT_EQ(visit.calls_per_sample, 1);
  EXPECT_EQ(visit.stop_reason, "floor_limited");
  EXPECT_FALSE(visit.cold_method.empty());
}

TEST(Sampler, BatchesShortHotCalls) {
  const VisitRecord visit = synthetic_visit({{.work = {.median_s = 1e-6}}});
  EXPECT_EQ(visit.calls_per_sample, 32) << "25 us of 25 ns clock readings, in a power of two";
  EXPECT_NEAR(median_of(analysis::valid_times(visit)), 1e-6, 5e-9) << "a sample is the mean of its calls";
  EXPECT_TRUE(visit.cold_method.empty());
}

TEST(Sampler, StartsRanksTogetherThoughTheirClocksDiffer) {
  const VisitRecord visit = synthetic_visit({{}, {.clock = {.offset_s = 5.0}}, {.clock = {.offset_s = -3.0}}});
  EXPECT_EQ(visit.sync, "window");
  ASSERT_EQ(visit.rank_start_s.size(), visit.rank_time_s.size());
  EXPECT_LT(visit.clock_bound_s, 10e-6);
  for (const double skew : analysis::start_skews(visit)) EXPECT_LE(skew, 2 * visit.clock_bound_s + 100e-9);
  EXPECT_TRUE(analysis::uses_common_clock(visit)) << "the bound is a few microseconds of 1 ms";
  EXPECT_NEAR(median_of(analysis::sample_times(visit)), 1e-3, 2 * visit.clock_bound_s + 1e-6);
}

TEST(Sampler, FollowsAClockThatDrifts) {
  const VisitRecord visit = synthetic_visit({{}, {.clock = {.offset_s = 1.0, .drift = 50e-6}}});  // a bad quartz: 50 us a second
  EXPECT_LE(median_of(analysis::start_skews(visit)), visit.clock_bound_s + 5e-6);
}

TEST(Sampler, CountsTheSlowestRankWhicheverItIs) {
  for (const std::size_t slow : {0U, 1U, 2U}) {
    std::vector<RankScript> scripts(3);
    scripts[slow].work.median_s = 3e-3;
    const VisitRecord visit = synthetic_visit(scripts);
    EXPECT_NEAR(median_of(analysis::sample_times(visit)), 3e-3, 1e-5) << "slow rank " << slow;
  }
}

TEST(Sampler, KeepsAHiccupAsASampleAndMarksIt) {
  const auto hiccup = [](std::int64_t call) { return call == kBefore + 10 ? 3e-3 : 0.0; };
  for (const std::size_t late : {0U, 1U}) {
    std::vector<RankScript> scripts(2);
    scripts[late].extra = hiccup;
    const VisitRecord visit = synthetic_visit(scripts);
    EXPECT_EQ(visit.stop_reason, "converged");
    EXPECT_EQ(flagged(visit, analysis::kOverrun), 1) << "the sample that took 4 ms";
    EXPECT_NEAR(analysis::sample_times(visit)[10], 4e-3, 1e-5) << "rank " << late;
    EXPECT_EQ(flagged(visit, analysis::kLate), 0) << "the others wait for it before the next start is named";
    EXPECT_NEAR(median_of(analysis::valid_times(visit)), 1e-3, 1e-5);
  }
}

TEST(Sampler, UsesABarrierWhereRanksShareCores) {
  scaling::RunSettings settings = synthetic_settings();
  settings.sync = "barrier";
  EXPECT_EQ(synthetic_visit({{}, {}}, settings).sync, "barrier");
}

TEST(Sampler, SaysUnsteadyWhenTheSeriesNeverSettles) {
  // A jump in the middle of a series that cannot converge before it: the front half is no warm-up.
  scaling::RunSettings settings = synthetic_settings();
  settings.ci = 1e-4;
  RankScript jump{.work = {.sd_log = 0.01}, .extra = [](std::int64_t call) { return call < kBefore + 128 ? 1e-3 : 0.0; }};
  const VisitRecord visit = synthetic_visit({jump}, settings);
  EXPECT_EQ(visit.stop_reason, "unsteady");
}

}  // namespace
}  // namespace bench::jobs
