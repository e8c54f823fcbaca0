// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/components.hpp"

#include <limits>

#include "tests/analysis/known_answers.hpp"

namespace bench::analysis {
namespace {

using Launches = std::vector<std::vector<double>>;

TEST(Components, OfFourLaunchesAreTheKnownOnes) {
  const Launches launches{{10, 10.1, 9.9, 10, 10.1},
                          {10.4, 10.5, 10.4, 10.6, 10.5},
                          {9.8, 9.9, 9.8, 9.7, 9.9},
                          {10.2, 10.3, 10.2, 10.1, 10.2}};
  const auto c = launch_components(launches, 0.95);
  ASSERT_TRUE(c);
  expect_close(c->f, 60.41025641025632);
  expect_close(c->ms_between, 0.392666666666667);
  expect_close(c->ms_within, 0.0065);
  expect_close(c->icc, 0.9223726114649682);
  expect_close(c->design_effect, 4.689490445859873);
  expect_close(c->launch_half_width, 0.4459211844508775);
  expect_close(c->naive_half_width, 0.12157000480088741);
  EXPECT_LT(c->p, 1e-8);
}

TEST(Components, OfUnequalLaunchesAreWorkedOutByHand) {
  // Means 2 and 5, grand mean 3.2; MSB = 3 (1.2)^2 + 2 (1.8)^2 = 10.8, MSW = (2 + 2) / 3,
  // n0 = 5 - (9 + 4) / 5 = 2.4.
  const auto c = launch_components(Launches{{1, 2, 3}, {4, 6}}, 0.95);
  ASSERT_TRUE(c);
  expect_close(c->ms_between, 10.8);
  expect_close(c->ms_within, 4.0 / 3.0);
  expect_close(c->mean, 3.5);
  const double icc = (10.8 - 4.0 / 3.0) / (10.8 + 1.4 * 4.0 / 3.0);
  expect_close(c->icc, icc);
  expect_close(c->design_effect, 1.0 + 1.4 * icc);
}

TEST(Components, ThatAgreeTooWellNeverCountForMoreSamples) {
  const auto c = launch_components(Launches{{1, 3}, {1, 3}, {1, 3}}, 0.95);
  ASSERT_TRUE(c);
  expect_close(c->icc, -1.0);  // the least two samples a launch allow
  expect_close(c->design_effect, 1.0);
  EXPECT_EQ(c->f, 0.0);
  EXPECT_EQ(c->p, 1.0);
}

TEST(Components, WithoutSpreadInsideLaunchesAreAllBetweenThem) {
  const auto c = launch_components(Launches{{1, 1}, {2, 2}}, 0.95);
  ASSERT_TRUE(c);
  expect_close(c->icc, 1.0);
  expect_close(c->design_effect, 2.0);  // two samples of a launch are worth one
  EXPECT_EQ(c->p, 0.0);
  const auto none = launch_components(Launches{{1, 1}, {1, 1}}, 0.95);
  ASSERT_TRUE(none);
  EXPECT_EQ(none->icc, 0.0);
  EXPECT_EQ(none->p, 1.0);
}

TEST(Components, NeedTwoLaunchesAndARepeatedSample) {
  EXPECT_FALSE(launch_components(Launches{}, 0.95));
  EXPECT_FALSE(launch_components(Launches{{1, 2, 3}}, 0.95));
  EXPECT_FALSE(launch_components(Launches{{1}, {2}}, 0.95));
  EXPECT_FALSE(launch_components(Launches{{1, 2}, {}}, 0.95));
  EXPECT_FALSE(launch_components(Launches{{1, 2}, {1, std::numeric_limits<double>::quiet_NaN()}}, 0.95));
}

}  // namespace
}  // namespace bench::analysis
