// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/normality.hpp"

#include <algorithm>
#include <limits>

#include "src/core/rng.hpp"
#include "tests/analysis/known_answers.hpp"

namespace bench::analysis {
namespace {

// The published samples of the two NAG examples that scipy tests with, and a third of scipy's.
const std::vector<double> kFirst{0.11, 7.87, 4.61, 10.14, 7.95, 3.14, 0.46, 4.43, 0.21, 4.75,
                                 0.71, 1.52, 3.24, 0.93,  0.42, 4.97, 9.53, 4.55, 0.47, 6.66};
const std::vector<double> kSecond{1.36, 1.14,  2.92, 2.55, 1.46, 1.06, 5.27, -1.11, 3.48, 1.10,
                                  0.88, -0.51, 1.46, 0.52, 6.20, 1.69, 0.08, 3.67,  2.81, 3.49};
const std::vector<double> kThird{0.139, 0.157, 0.175, 0.256, 0.344, 0.413, 0.503, 0.577, 0.614,
                                 0.655, 0.954, 1.392, 1.557, 1.648, 1.690, 1.994, 2.174, 2.206,
                                 3.245, 3.510, 3.571, 4.354, 4.980, 6.084, 8.351};

/// Reproducible samples that are exact in binary: s <- (75 s + 74) mod 65537, from 12345, over 65536.
std::vector<double> multiples(std::size_t n) {
  std::vector<double> u;
  for (std::uint64_t s = 12345; u.size() < n;) {
    s = (75 * s + 74) % 65537;
    u.push_back(static_cast<double>(s % 65536) / 65536.0);
  }
  return u;
}
std::vector<double> nearly_normal(std::size_t n) {  // sums of 12 uniform values
  const std::vector<double> u = multiples(12 * n);
  std::vector<double> x(n, -6.0);
  for (std::size_t i = 0; i < u.size(); ++i) x[i / 12] += u[i];
  return x;
}
std::vector<double> skewed(std::size_t n) {
  std::vector<double> x = multiples(n);
  for (double& value : x) value *= value;
  return x;
}
/// W to 1e-12 of itself. p moves by |z| d ln(1-W) / sd relative to itself, so it loses what 1 - W loses by
/// being small and what a far tail adds: 1e-9 holds both here.
void expect_test(const std::vector<double>& x, double w, double p) {
  const auto test = shapiro_wilk(x);
  ASSERT_TRUE(test);
  expect_close(test->w, w);
  expect_close(test->p, p, 1e-9);
}

TEST(ShapiroWilk, OfADozenWithOutliersIsTheKnownOne) {
  const auto test = shapiro_wilk(kSpiked).value();
  expect_close(test.w, 0.5051072608657143);
  // scipy's 0.5051072607893512 is 1.5e-10 off: its normal quantile (AS 111) is good to 1e-9 only. Ours and
  // R's are exact to rounding; with AS 111 in their place this W comes out as scipy's to 2e-16.
  expect_close(test.w, 0.5051072607893512, 2e-10);
  EXPECT_NEAR(test.p, 1.927e-05, 0.0005e-05);  // known to four digits
}

TEST(ShapiroWilk, OfPublishedSamplesIsWhatRSays) {
  expect_test(kFirst, 0.90047287931756081, 0.042089575222257203);
  expect_test(kSecond, 0.95902694603234495, 0.52459793047066738);
  expect_test(kThird, 0.83466627531816795, 0.00091349048181295952);
  expect_test({1, 2, 3, 4, 5}, 0.98676215544771939, 0.9671739359680398);
  expect_test({0, 0, 0, 0, 0, 0, 0, 0, 0, 1e6}, 0.36572062741426348, 1.0036928138890686e-07);
}

TEST(ShapiroWilk, OfNearlyNormalSamplesIsWhatRSaysOnEveryBranch) {
  expect_test(nearly_normal(3), 0.88874089596745598, 0.35050975662066497);     // exact p
  expect_test(nearly_normal(4), 0.94767166567078165, 0.70160365125123614);     // one fitted weight
  expect_test(nearly_normal(5), 0.89286575089096831, 0.37171882542614776);     // the last of those
  expect_test(nearly_normal(6), 0.93736309864591505, 0.63803243833973156);     // two fitted weights
  expect_test(nearly_normal(7), 0.93950814111805481, 0.63429375919182673);     // odd: a middle without one
  expect_test(nearly_normal(11), 0.93170870049675858, 0.42839669999939578);    // last of the small fit
  expect_test(nearly_normal(12), 0.94790483064752928, 0.60658468382763342);    // first of the large one
  expect_test(nearly_normal(100), 0.9910955301476061, 0.75251721189388188);    // W close to 1
  expect_test(nearly_normal(5000), 0.99981218462658794, 0.96184260472691174);  // the longest
}

TEST(ShapiroWilk, OfSkewedSamplesAndOfTiesIsWhatRSays) {
  expect_test(skewed(11), 0.9392391720283163, 0.51159540384042324);
  expect_test(skewed(200), 0.89388704215019699, 1.0433792009777569e-10);
  expect_test(skewed(2000), 0.8916713884342865, 2.3787728689260736e-35);  // a tail far out
  expect_test({0, 0, 0, 1}, 0.62977626491370753, 0.0012407259319727808);  // the smallest W of four
  expect_test({0, 0, 1, 1}, 0.72863414817361738, 0.0238567944022221);
}

TEST(ShapiroWilk, OfThreeValuesReachesBothEnds) {
  const auto even = shapiro_wilk(std::vector<double>{1, 2, 3}).value();
  EXPECT_NEAR(even.w, 1.0, 1e-15);
  EXPECT_NEAR(even.p, 1.0, 1e-7);  // arcsin is steep there: sqrt of the rounding
  const auto uneven = shapiro_wilk(std::vector<double>{0, 0, 1}).value();
  EXPECT_NEAR(uneven.w, 0.75, 1e-15);
  EXPECT_NEAR(uneven.p, 0.0, 1e-14);
  EXPECT_GE(uneven.p, 0.0);
}

TEST(ShapiroWilk, DependsNeitherOnOrderNorUnitNorOffset) {
  std::vector<double> x = nearly_normal(30);
  const auto test = shapiro_wilk(x).value();
  std::reverse(x.begin(), x.end());
  EXPECT_EQ(shapiro_wilk(x)->w, test.w);
  for (double& value : x) value = 1e-200 * value;  // squares would underflow
  expect_close(shapiro_wilk(x)->w, test.w);
  for (double& value : x) value = 1e9 + 1e200 * value;  // 65536ths are exact beside 1e9
  expect_close(shapiro_wilk(x)->w, test.w, 1e-11);
}

TEST(ShapiroWilk, RejectsNormalNoiseAboutAsOftenAsItSays) {
  const CounterRng rng(1, "normal");
  int rejected = 0;
  for (std::uint64_t run = 0; run < 1000; ++run) {
    std::vector<double> x;
    for (std::uint64_t i = 0; i < 50; ++i) x.push_back(rng.normal(50 * run + i));
    rejected += shapiro_wilk(x)->p < 0.05;
  }
  EXPECT_NEAR(rejected, 50, 28);  // four standard errors of 6.9
}

TEST(ShapiroWilk, IsAbsentWhereItSaysNothing) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  EXPECT_FALSE(shapiro_wilk(std::vector<double>{}));
  EXPECT_FALSE(shapiro_wilk(std::vector<double>{1, 2}));
  EXPECT_FALSE(shapiro_wilk(std::vector<double>(10, 0.1)));
  EXPECT_FALSE(shapiro_wilk(std::vector<double>{1, 2, nan, 4}));
  EXPECT_FALSE(shapiro_wilk(std::vector<double>{1, 2, inf, 4}));
  EXPECT_TRUE(shapiro_wilk(nearly_normal(5000)));
  EXPECT_FALSE(shapiro_wilk(nearly_normal(5001)));
}

}  // namespace
}  // namespace bench::analysis
