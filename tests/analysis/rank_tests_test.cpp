// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/rank_tests.hpp"

#include <algorithm>
#include <limits>
#include <random>

#include "analysis/statistics/quantiles.hpp"
#include "tests/analysis/known_answers.hpp"

namespace bench::analysis {
namespace {

using Values = std::vector<double>;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// The two-sided p by dealing the values to both sides in every possible way.
double p_by_enumeration(const Values& a, const Values& b) {
  Values all(a);
  all.insert(all.end(), b.begin(), b.end());
  const double observed = mann_whitney_asymptotic(a, b).u;
  std::vector<int> in_a(all.size(), 0);
  std::fill(in_a.end() - static_cast<std::ptrdiff_t>(a.size()), in_a.end(), 1);
  double low = 0.0, high = 0.0, deals = 0.0;
  do {
    double u = 0.0;
    for (std::size_t i = 0; i < all.size(); ++i)
      for (std::size_t j = 0; j < all.size(); ++j)
        if (in_a[i] == 1 && in_a[j] == 0) u += all[i] > all[j] ? 1.0 : all[i] == all[j] ? 0.5 : 0.0;
    low += u <= observed ? 1.0 : 0.0;
    high += u >= observed ? 1.0 : 0.0;
    deals += 1.0;
  } while (std::next_permutation(in_a.begin(), in_a.end()));
  return std::min(1.0, 2.0 * std::min(low, high) / deals);
}

/// Whole numbers, so that some are equal.
Values coarse(std::mt19937_64& bits, std::size_t count, std::uint64_t different) {
  Values values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(static_cast<double>(bits() % different));
  return values;
}

TEST(MannWhitney, OfBenchstatsExampleIsTheKnownOne) {
  const RankTest json = mann_whitney(kJsonOld, kJsonNew), gob = mann_whitney(kGobOld, kGobNew);
  EXPECT_EQ(json.u, 100.0) << "every old time is above every new one";
  expect_close(json.p, 1.082508822446903e-05);
  EXPECT_EQ(gob.u, 39.5);
  expect_close(gob.p, 0.4461018857303687);  // with ties; benchstat prints p=0.446
  expect_close(mann_whitney_asymptotic(kGobOld, kGobNew).p, 0.4486666230878421);
}

TEST(MannWhitney, OfTheTextbookExampleIsTheKnownOne) {
  const Values a{19, 22, 16, 29, 24}, b{20, 11, 17, 12};
  EXPECT_EQ(mann_whitney(a, b).u, 17.0);
  expect_close(mann_whitney(a, b).p, 0.1111111111111111);
  expect_close(mann_whitney_asymptotic(a, b).p, 0.11134688653314041);
}

TEST(MannWhitney, NeedsFourASideToRejectAtFivePercent) {
  const Values low{1, 2, 3, 4, 5}, high{11, 12, 13, 14, 15};
  const auto smallest = [&](std::size_t n) {
    return mann_whitney(std::span(low).first(n), std::span(high).first(n)).p;
  };
  expect_close(smallest(3), 0.1);
  expect_close(smallest(4), 0.02857142857142857);
  expect_close(smallest(5), 0.007936507936507936);
}

TEST(MannWhitney, IsExactWithTiesAndUnequalSides) {
  std::mt19937_64 bits(20261121);
  for (int trial = 0; trial < 60; ++trial) {  // at most 9 values: 126 deals each
    const std::size_t n = 1 + bits() % 4, m = 1 + bits() % 5;
    const Values a = coarse(bits, n, 4), b = coarse(bits, m, 4);
    expect_close(mann_whitney(a, b).p, p_by_enumeration(a, b));
  }
}

TEST(MannWhitney, IsTheSameFromBothSides) {
  std::mt19937_64 bits(7);
  for (int trial = 0; trial < 20; ++trial) {
    const Values a = coarse(bits, 12, 9), b = coarse(bits, 17, 9);
    const RankTest forth = mann_whitney(a, b), back = mann_whitney(b, a);
    expect_close(forth.p, back.p);
    EXPECT_EQ(forth.u + back.u, 12.0 * 17.0);
  }
}

TEST(MannWhitney, MeetsTheNormalApproximationAtTheBoundOfExactness) {
  std::mt19937_64 bits(99);
  const Values a = coarse(bits, 50, 1000),
               b = coarse(bits, 50, 1000);  // the largest equal sides done exactly
  const double exact = mann_whitney(a, b).p, normal = mann_whitney_asymptotic(a, b).p;
  EXPECT_NE(exact, normal) << "50 a side are within the bound";
  EXPECT_NEAR(exact, normal, 2e-3);
  Values longer(a);
  longer.push_back(500.0);
  EXPECT_EQ(mann_whitney(longer, b).p, mann_whitney_asymptotic(longer, b).p) << "51 x 50 are beyond it";
}

TEST(MannWhitney, OfEqualValuesSaysNothing) {
  const Values same{2, 2, 2, 2};
  expect_close(mann_whitney(same, same).p, 1.0);
  expect_close(mann_whitney_asymptotic(same, same).p, 1.0);
}

TEST(RankTests, WithoutUsableValuesAreNaN) {
  const Values broken{1.0, kNaN}, infinite{1.0, std::numeric_limits<double>::infinity()}, sound{1, 2}, none;
  for (const Values& bad : {broken, infinite, none}) {
    EXPECT_TRUE(std::isnan(mann_whitney(bad, sound).p));
    EXPECT_TRUE(std::isnan(mann_whitney(sound, bad).p));
    EXPECT_TRUE(std::isnan(cliffs_delta(bad, sound)));
    EXPECT_TRUE(std::isnan(hodges_lehmann(sound, bad, 0.95).value));
  }
  EXPECT_TRUE(std::isnan(kendall_tau_b(broken, sound).p));
}

TEST(HodgesLehmann, OfBenchstatsExampleIsTheKnownOne) {
  const Estimate json = hodges_lehmann(kJsonNew, kJsonOld, 0.95);
  expect_close(json.value, -296.5);
  ASSERT_TRUE(json.interval);  // the 24th and the 77th of 100 differences
  expect_close(json.interval->lo, -312.0);
  expect_close(json.interval->hi, -284.0);
  expect_close(json.interval->confidence, 0.9567429474550218);
  expect_close(hodges_lehmann(kGobNew, kGobOld, 0.95).value, 3.0);
}

TEST(HodgesLehmann, IsTheMedianOfAllDifferences) {
  std::mt19937_64 bits(7);
  for (int trial = 0; trial < 40; ++trial) {
    const Values a = coarse(bits, 1 + bits() % 7, 50), b = coarse(bits, 1 + bits() % 7, 50);
    Values differences;
    for (const double x : a)
      for (const double y : b) differences.push_back(x - y);
    EXPECT_DOUBLE_EQ(hodges_lehmann(a, b, 0.95).value, median(sorted(differences)));
  }
}

TEST(HodgesLehmann, OfLargeSamplesUsesTheNormalRanks) {
  Values a, b;
  for (int i = 0; i < 300; ++i) {  // 90000 differences, beyond the exact bound
    a.push_back(static_cast<double>(i) + 5.0);
    b.push_back(static_cast<double>(i));
  }
  const Estimate shift = hodges_lehmann(a, b, 0.95);
  expect_close(shift.value, 5.0);
  ASSERT_TRUE(shift.interval);
  expect_close(shift.interval->confidence, 0.95);
  EXPECT_TRUE(shift.interval->lo < 5.0 && 5.0 < shift.interval->hi);
}

TEST(HodgesLehmann, OfThreeASideHasNoInterval) {
  const Values a{1, 2, 3}, b{4, 5, 6};  // the widest possible interval covers 0.9
  EXPECT_FALSE(hodges_lehmann(a, b, 0.95).interval);
  const Estimate wide = hodges_lehmann(a, b, 0.9);
  ASSERT_TRUE(wide.interval);
  expect_close(wide.interval->lo, -5.0);
  expect_close(wide.interval->hi, -1.0);
}

TEST(CliffsDelta, OfBenchstatsExampleIsTheKnownOne) {
  expect_close(cliffs_delta(kJsonNew, kJsonOld), -1.0);
  expect_close(cliffs_delta(kGobNew, kGobOld), 0.21);
}

TEST(Kendall, OfTheTextbookExampleIsTheKnownOne) {
  const KendallTau k = kendall_tau_b(Values{12, 2, 1, 12, 2}, Values{1, 4, 7, 1, 0});
  expect_close(k.tau, -0.4714045207910316);
  expect_close(k.p, 0.28274545993277467);
}

TEST(Kendall, AgainstTimeIsTheTrendTestOfMannAndKendall) {
  const KendallTau k =
      kendall_tau_b(Values{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, Values{5, 3, 3, 6, 7, 7, 8, 6, 9, 10});
  expect_close(k.s, 32.0);
  expect_close(k.variance, 122.0);
  expect_close((k.s - 1.0) / std::sqrt(k.variance), 2.8066081273180745);
}

TEST(Kendall, CountsPairsAsTheDefinitionDoes) {
  std::mt19937_64 bits(20261121);
  const auto sign = [](double d) { return d > 0.0 ? 1.0 : d < 0.0 ? -1.0 : 0.0; };
  for (int trial = 0; trial < 20; ++trial) {
    const Values x = coarse(bits, 25, 8), y = coarse(bits, 25, 8);
    double s = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i)
      for (std::size_t j = 0; j < i; ++j) s += sign(x[i] - x[j]) * sign(y[i] - y[j]);
    EXPECT_EQ(kendall_tau_b(x, y).s, s);
  }
}

TEST(Kendall, OfAConstantSideIsUndefined) {
  const KendallTau k = kendall_tau_b(Values{1, 1, 1}, Values{1, 2, 3});
  EXPECT_TRUE(std::isnan(k.tau) && std::isnan(k.p));
}

}  // namespace
}  // namespace bench::analysis
