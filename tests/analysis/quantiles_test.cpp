// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/quantiles.hpp"

#include <limits>

#include "src/core/error.hpp"
#include "tests/analysis/known_answers.hpp"

namespace bench::analysis {
namespace {

TEST(Quantiles, InterpolateBetweenOrderStatisticsAsType7) {
  const std::vector<double> four{1, 2, 3, 4};  // (n-1) q = 3 q: every kind of position
  expect_close(quantile(four, 0.0), 1.0);
  expect_close(quantile(four, 1.0 / 3.0), 2.0);  // on a value
  expect_close(quantile(four, 0.25), 1.75);      // between two
  expect_close(quantile(four, 0.5), 2.5);
  expect_close(quantile(four, 1.0), 4.0);  // nothing above to interpolate with
}

TEST(Quantiles, OfOneValueAreThatValue) {
  const std::vector<double> one{7.5};
  for (const double q : {0.0, 0.3, 0.5, 1.0}) expect_close(quantile(one, q), 7.5);
  EXPECT_EQ(median_absolute_deviation(one), 0.0);
}

TEST(Quantiles, OfTheSpikedSeriesAreTheKnownOnes) {
  const std::vector<double> ascending = sorted(kSpiked);
  expect_close(quantile(ascending, 0.25), 5.0);
  expect_close(median(ascending), 5.1);
  expect_close(quantile(ascending, 0.75), 5.225);
  expect_close(median_absolute_deviation(ascending), 0.1, 1e-12);
  expect_close(normalised_mad(ascending), 0.1482602218505602, 1e-12);
}

TEST(Quantiles, MediansOfBenchstatsExampleAreItsOwn) {
  expect_close(median(sorted(kJsonOld)), 1718);
  expect_close(median(sorted(kJsonNew)), 1422.5);
  expect_close(median(sorted(kGobOld)), 3065.5);
  expect_close(median(sorted(kGobNew)), 3070);
}

TEST(Quantiles, AMajorityOfEqualValuesHasNoMad) {
  const std::vector<double> values{10, 10, 10, 10, 10, 10, 10, 100};  // the outlier must not leak into it
  EXPECT_EQ(median_absolute_deviation(sorted(values)), 0.0);
}

TEST(Quantiles, OfNothingOrOutsideZeroToOneAreErrors) {
  const std::vector<double> two{1, 2};
  EXPECT_THROW(quantile({}, 0.5), Error);
  EXPECT_THROW(quantile(two, -0.1), Error);
  EXPECT_THROW(quantile(two, 1.1), Error);
  EXPECT_THROW(quantile(two, std::numeric_limits<double>::quiet_NaN()), Error);
}

TEST(Quantiles, SortingPutsNanLastAndKeepsTheRest) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> ascending = sorted(std::vector<double>{3, nan, 1, nan, 2});
  ASSERT_EQ(ascending.size(), 5U);
  EXPECT_EQ(std::vector<double>(ascending.begin(), ascending.begin() + 3), (std::vector<double>{1, 2, 3}));
  EXPECT_TRUE(std::isnan(ascending[3]) && std::isnan(ascending[4]));
}

}  // namespace
}  // namespace bench::analysis
