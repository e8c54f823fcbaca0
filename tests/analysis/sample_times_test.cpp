// SPDX-License-Identifier: Apache-2.0
// From ranks to one time per sample, and which samples count.
#include "analysis/sample_times.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "analysis/statistics/quantiles.hpp"
#include "analysis/statistics/throttle.hpp"

namespace bench::analysis {
namespace {

TEST(SampleTimes, AreTheSlowestRankOfEveryRepetition) {
  VisitRecord visit;
  visit.ranks = 3;  // three ranks, four repetitions: the figures of the spec's table, turned to one row a repetition
  visit.rank_time_s = {1.00, 1.05, 0.99, 1.02, 1.00, 1.07, 1.01, 1.04, 1.00, 1.03, 1.02, 1.01};
  EXPECT_EQ(sample_times(visit), (std::vector<double>{1.05, 1.07, 1.04, 1.03}));
  EXPECT_DOUBLE_EQ(median(sorted(sample_times(visit))), 1.045) << "the median of the ranks' medians, 1.03, and the mean, 1.02, are both wrong";
}

TEST(SampleTimes, OnACommonClockReachFromTheFirstStartToTheLastEnd) {
  VisitRecord visit;
  visit.ranks = 3;
  visit.rank_start_s = {0.0, 1e-6, 0.0};
  visit.rank_time_s = {1000e-6, 1001e-6, 998e-6};  // ends at 1000, 1002 and 998 us
  EXPECT_TRUE(uses_common_clock(visit));
  EXPECT_NEAR(sample_times(visit).front(), 1002e-6, 1e-15);
  EXPECT_NEAR(local_times(visit).front(), 1001e-6, 1e-15);
  EXPECT_NEAR(start_skews(visit).front(), 1e-6, 1e-18);
  visit.clock_bound_s = 11e-6;  // more than 1 % of a millisecond
  EXPECT_FALSE(uses_common_clock(visit));
  EXPECT_NEAR(sample_times(visit).front(), 1001e-6, 1e-15) << "then each rank's own duration is the better figure";
}

TEST(SampleTimes, OfSeveralCallsAreTheirMean) {
  VisitRecord visit;
  visit.ranks = 2;
  visit.calls_per_sample = 10;
  visit.rank_start_s = {0.0, 5e-6};
  visit.rank_time_s = {10e-6, 10e-6};  // ten calls take 100 us; the second rank ends 5 us later
  EXPECT_NEAR(sample_times(visit).front(), 10.5e-6, 1e-15);
}

TEST(SampleTimes, LeaveOutWhatIsFlaggedAndKeepItInTheRecord) {
  VisitRecord visit;
  visit.rank_time_s = {9, 1, 2, 8, 3};
  visit.flags = {kWarmup, 0, kOverrun, kLate, kClockBound};
  EXPECT_EQ(valid_times(visit), (std::vector<double>{1, 2, 3})) << "an overrun is slow, not wrong, and a clock bound decides the clock alone";
  EXPECT_EQ(sample_times(visit).size(), 5U);
  visit.stop_reason = "throttled";
  EXPECT_EQ(valid_times(visit), (std::vector<double>{1, 2, 8, 3})) << "there the disturbance is the normal state; the warm-up is not";
  visit.stop_reason = "converged";
  visit.flags.assign(5, kLate);
  EXPECT_EQ(valid_times(visit).size(), 5U) << "a visit never ends without a time";
}

TEST(Throttling, IsJudgedAgainstTheClockOfTheCaseItself) {
  const std::vector<double> mhz{1980, 1980, 1975, 1980, 1725, 1700, 1980, 1980, 1978, 1980};
  EXPECT_EQ(throttled(mhz), (std::vector<bool>{false, false, false, false, true, true, false, false, false, false}));
}

TEST(Throttling, IsNeverFoundWhereNoClockIsKnown) {
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(throttled(std::vector<double>{unknown, 0.0, unknown}), (std::vector<bool>{false, false, false}));
  EXPECT_EQ(throttled(std::vector<double>{1000, unknown, 2000}), (std::vector<bool>{true, false, false}));
}

}  // namespace
}  // namespace bench::analysis
