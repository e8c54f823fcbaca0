// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/multiplicity.hpp"

#include <limits>

#include "src/core/error.hpp"
#include "tests/analysis/known_answers.hpp"

namespace bench::analysis {
namespace {

using Values = std::vector<double>;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

void expect_all_close(const Values& actual, const Values& expected, double tolerance = 1e-12) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) expect_close(actual[i], expected[i], tolerance);
}

TEST(BenjaminiHochberg, OfThePublishedTableIsTheKnownOne) {
  // The fifteen p values of the 1995 paper; adjusted ones are stated to eight decimals.
  const Values p{.0001, .0004, .0019, .0095, .0201, .0278, .0298, .0344,
                 .0459, .3240, .4262, .5719, .6528, .7590, 1};
  expect_all_close(benjamini_hochberg(p),
                   {.0015, .003, .0095, .035625, .0603, .06385714, .06385714, .0645, .0765, .486, .58118182,
                    .714875, .75323077, .81321429, 1},
                   1e-7);
}

TEST(BenjaminiHochberg, KeepsTheOrderItWasGiven) {
  expect_all_close(benjamini_hochberg(Values{.01, .04, .03, .005}), {.02, .04, .04, .02});
}

TEST(Holm, IsWorkedOutByHand) {
  // Ascending .005 .01 .03 .04 times 4 3 2 1: .02 .03 .06 .04, and the last may not be below the third.
  expect_all_close(holm(Values{.01, .04, .03, .005}), {.03, .06, .06, .02});
  expect_all_close(holm(Values{.5, .4}), {.8, .8});
  expect_all_close(holm(Values{.9, .8}), {1.0, 1.0});
}

TEST(Multiplicity, LeavesOneComparisonAsItIs) {
  expect_all_close(benjamini_hochberg(Values{.03}), {.03});
  expect_all_close(holm(Values{.03}), {.03});
  EXPECT_TRUE(holm(Values{}).empty());
  EXPECT_TRUE(benjamini_hochberg(Values{}).empty());
}

TEST(Multiplicity, DoesNotCountWhatWasNotTested) {
  const Values with_gaps{kNaN, .01, .04, kNaN, .03, .005};
  for (const auto adjust : {benjamini_hochberg, holm}) {
    const Values adjusted = adjust(with_gaps), dense = adjust(Values{.01, .04, .03, .005});
    EXPECT_TRUE(std::isnan(adjusted[0]) && std::isnan(adjusted[3]));
    expect_all_close({adjusted[1], adjusted[2], adjusted[4], adjusted[5]}, dense);
  }
}

TEST(Multiplicity, GivesEqualPsEqualAdjustedOnes) {
  expect_all_close(benjamini_hochberg(Values{.02, .02, .02}), {.02, .02, .02});
  expect_all_close(holm(Values{.02, .02, .02}), {.06, .06, .06});
}

TEST(Multiplicity, RefusesWhatIsNoProbability) {
  EXPECT_THROW(holm(Values{.5, 1.5}), Error);
  EXPECT_THROW(benjamini_hochberg(Values{-.1}), Error);
}

}  // namespace
}  // namespace bench::analysis
