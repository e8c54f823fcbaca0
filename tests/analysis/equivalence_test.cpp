// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/equivalence.hpp"

#include <limits>

#include "src/core/error.hpp"
#include "tests/analysis/known_answers.hpp"

namespace bench::analysis {
namespace {

using Values = std::vector<double>;

/// Five launches a side that hardly differ.
const Values kBefore{10, 10.1, 9.9, 10.05, 9.95};
const Values kAfter{10.05, 10.15, 9.95, 10, 10.1};

TEST(LaunchRatio, OfFiveLaunchesASideIsTheKnownOne) {
  const LaunchRatio r = launch_ratio(kBefore, kAfter, 0.95);
  expect_close(r.ratio.value, 1.005000249399234);
  ASSERT_TRUE(r.ratio.interval && r.equivalence);
  expect_close(r.ratio.interval->lo, 0.9935071608765021);
  expect_close(r.ratio.interval->hi, 1.0166262922568645);
  expect_close(r.equivalence->lo, 0.9957219944052431);
  expect_close(r.equivalence->hi, 1.0143649602676732);
  EXPECT_TRUE(inside_band(r.equivalence, 0.02));
  EXPECT_FALSE(inside_band(r.equivalence, 0.01));
}

TEST(LaunchRatio, HasAPThatAgreesWithItsInterval) {
  // At confidence 1 - p the interval just touches 1.
  const LaunchRatio r = launch_ratio(kBefore, kAfter, 0.95);
  const LaunchRatio touching = launch_ratio(kBefore, kAfter, 1.0 - r.p);
  expect_close(touching.ratio.interval->lo, 1.0);
}

TEST(LaunchRatio, OfTheSameTimesIsOneForSure) {
  const Values steady{2, 2, 2};
  const LaunchRatio r = launch_ratio(steady, steady, 0.95);
  EXPECT_EQ(r.p, 1.0);
  ASSERT_TRUE(r.ratio.interval);
  EXPECT_EQ(r.ratio.interval->lo, 1.0);
  EXPECT_EQ(r.ratio.interval->hi, 1.0);
  EXPECT_EQ(launch_ratio(steady, Values{3, 3, 3}, 0.95).p, 0.0);
}

TEST(LaunchRatio, OfTwoLaunchesHasNoInterval) {
  const LaunchRatio r = launch_ratio(Values{1, 1.1}, kAfter, 0.95);
  EXPECT_TRUE(std::isfinite(r.ratio.value));
  EXPECT_FALSE(r.ratio.interval || r.equivalence);
  EXPECT_TRUE(std::isnan(r.p) && std::isnan(equivalence_p(r, 0.02)));
}

TEST(LaunchRatio, OfTimesThatAreNoneIsNaN) {
  for (const double bad :
       {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    const LaunchRatio r = launch_ratio(Values{1, 1, 1, bad}, kAfter, 0.95);
    EXPECT_TRUE(std::isnan(r.ratio.value) && std::isnan(r.p));
    EXPECT_FALSE(inside_band(r.equivalence, 0.02));
  }
}

TEST(Equivalence, TestedTwiceIsTheIntervalInsideTheBand) {
  const LaunchRatio r = launch_ratio(kBefore, kAfter, 0.95);
  EXPECT_LT(equivalence_p(r, 0.02), 0.05);
  EXPECT_GT(equivalence_p(r, 0.01), 0.05);
  expect_close(equivalence_p(r, r.equivalence->hi - 1.0), 0.05, 1e-10);  // where the interval ends
  expect_close(equivalence_p(r, r.ratio.value - 1.0), 0.5, 1e-10);       // where its middle is
}

TEST(Equivalence, OfTimesThatDoNotVaryIsCertain) {
  const LaunchRatio r = launch_ratio(Values{100, 100, 100}, Values{101, 101, 101}, 0.95);
  EXPECT_EQ(equivalence_p(r, 0.02), 0.0);
  EXPECT_EQ(equivalence_p(r, 0.005), 1.0);
}

TEST(Power, FindsTheKnownEffects) {
  // In launch sds at power 0.8, stated to two decimals.
  EXPECT_NEAR(detectable_in_sds(3), 3.07, 0.005);
  EXPECT_NEAR(detectable_in_sds(5), 2.02, 0.005);
  EXPECT_NEAR(detectable_in_sds(8), 1.51, 0.005);
  EXPECT_NEAR(detectable_in_sds(10), 1.32, 0.005);
  EXPECT_NEAR(detectable_in_sds(20), 0.91, 0.005);
}

TEST(Power, OfManyLaunchesApproachesTheRuleOfThumb) {
  // 2 (2.8 cv / delta)^2: 63 launches at a cv of twice the change, from z.975 + z.8 = 2.8016.
  const double change = 0.01;
  const std::int64_t needed = launches_needed(2.0 * change, change);
  EXPECT_NEAR(static_cast<double>(needed), 2.0 * std::pow(2.8 * 2.0, 2.0), 2.5);
  EXPECT_EQ(launches_needed(20.0 * change, change),
            std::ceil(2.0 * std::pow(2.8015852 * 0.2 / std::log1p(change), 2.0)));
}

TEST(Power, NeededLaunchesAreTheFewestThatFindTheChange) {
  for (const double sd : {0.005, 0.01, 0.02, 0.05}) {
    const std::int64_t needed = launches_needed(sd, 0.05);
    EXPECT_LE(smallest_detectable_effect(sd, needed), 0.05);
    if (needed > 3) {
      EXPECT_GT(smallest_detectable_effect(sd, needed - 1), 0.05);
    }
  }
}

TEST(Power, OfLaunchesThatDoNotVaryNeedsThree) {
  EXPECT_EQ(launches_needed(0.0, 0.02), 3);
  EXPECT_EQ(launches_needed(1e-9, 0.02), 3);
  EXPECT_EQ(smallest_detectable_effect(0.0, 3), 0.0);
}

TEST(Power, RefusesWhatHasNoAnswer) {
  EXPECT_THROW(launches_needed(0.01, 0.0), Error);
  EXPECT_THROW(launches_needed(std::numeric_limits<double>::quiet_NaN(), 0.02), Error);
  EXPECT_THROW(detectable_in_sds(1), Error);
  EXPECT_THROW(detectable_in_sds(5, 1.0), Error);
}

}  // namespace
}  // namespace bench::analysis
