// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/welch.hpp"

#include <limits>

#include "tests/analysis/known_answers.hpp"

namespace bench::analysis {
namespace {

using Values = std::vector<double>;

/// Two published pairs of samples: the first from the manual of a t test on summary figures.
const Values kManualA{1, 3, 4, 6, 11, 13, 15, 19, 22, 24, 25, 26, 26};
const Values kManualB{2, 4, 6, 9, 11, 13, 14, 15, 18, 19, 21};
const Values kLeft{27.5, 21, 19, 23.6, 17, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19, 21.7, 21.4};
const Values kRight{27.1, 22, 20.8, 23.4, 23.4, 23.5, 25.8, 22, 24.8, 20.2, 21.9, 22.1, 22.9, 20.5, 24.4};

TEST(Welch, OfTheManualsSamplesIsTheKnownOne) {
  const MeanTest w = welch_t(kManualA, kManualB, 0.95);
  expect_close(w.t, 0.9358461935556048);
  expect_close(w.degrees_of_freedom, 20.984611233429924);
  expect_close(w.p, 0.35999818693244245);
  ASSERT_TRUE(w.difference.interval);
  expect_close(w.difference.interval->lo, -3.6668221444133);
  expect_close(w.difference.interval->hi, 9.666822144413299);
}

TEST(Welch, OfUnlikeSamplesIsTheKnownOne) {
  const MeanTest w = welch_t(kLeft, kRight, 0.95);
  expect_close(w.t, -2.455356398286006);
  expect_close(w.degrees_of_freedom, 24.988529290231416);
  expect_close(w.p, 0.021378001462866992);
}

TEST(Welch, OfBenchstatsExampleIsTheKnownOne) {
  const MeanTest json = welch_t(kJsonOld, kJsonNew, 0.95), gob = welch_t(kGobOld, kGobNew, 0.95);
  expect_close(json.t, 40.36059111885122);
  expect_close(json.degrees_of_freedom, 13.203060368183024);
  expect_close(gob.t, -0.4185247059584141);
  expect_close(gob.degrees_of_freedom, 17.86468520388532);
  expect_close(gob.p, 0.6805519068287972);
}

TEST(Welch, WithPooledVarianceIsStudentsTest) {
  const MeanTest s = pooled_t(kManualA, kManualB, 0.95);
  expect_close(s.t, 0.905135809331027);
  expect_close(s.degrees_of_freedom, 22.0);
  expect_close(s.p, 0.37519967975814883);
}

TEST(Welch, TurnedRoundChangesOnlyTheSign) {
  const MeanTest forth = welch_t(kLeft, kRight, 0.95), back = welch_t(kRight, kLeft, 0.95);
  expect_close(forth.t, -back.t);
  expect_close(forth.p, back.p);
  expect_close(forth.difference.interval->lo, -back.difference.interval->hi);
}

TEST(Welch, OfValuesThatDoNotVaryIsCertain) {
  const Values two{2, 2, 2}, three{3, 3, 3};
  EXPECT_EQ(welch_t(two, two, 0.95).p, 1.0);
  EXPECT_EQ(welch_t(two, two, 0.95).t, 0.0);
  const MeanTest apart = welch_t(three, two, 0.95);
  EXPECT_EQ(apart.p, 0.0);
  ASSERT_TRUE(apart.difference.interval);
  EXPECT_EQ(apart.difference.interval->lo, 1.0);
  EXPECT_EQ(apart.difference.interval->hi, 1.0);
}

TEST(Welch, WithoutUsableValuesIsNaN) {
  const Values one{1.0}, broken{1.0, std::numeric_limits<double>::quiet_NaN(), 2.0}, sound{1, 2, 3}, none;
  for (const Values& bad : {one, broken, none}) {
    EXPECT_TRUE(std::isnan(welch_t(bad, sound, 0.95).p));
    EXPECT_TRUE(std::isnan(pooled_t(sound, bad, 0.95).p));
    EXPECT_TRUE(std::isnan(hedges_g(bad, sound)));
    EXPECT_TRUE(std::isnan(fieller(bad, sound, 0.95).estimate.value));
    EXPECT_FALSE(fieller(sound, bad, 0.95).estimate.interval);
    EXPECT_FALSE(welch_t(bad, sound, 0.95).difference.interval);
  }
}

TEST(EffectSize, OfBenchstatsExampleIsTheKnownOne) {
  expect_close(hedges_g(kJsonNew, kJsonOld), -17.28713725087364);
}

TEST(EffectSize, OfTwoAndTwoIsWorkedOutByHand) {
  const Values a{3, 5}, b{1, 3};  // means 4 and 2, pooled variance 2
  expect_close(cohens_d(a, b), std::sqrt(2.0));
  expect_close(hedges_g(a, b), std::sqrt(2.0) * 4.0 / 7.0);  // J(2) = 1 - 3/7
}

TEST(EffectSize, IsCorrectedAlmostAsTheGammaFunctionWould) {
  for (const std::size_t n : {3U, 5U, 10U, 50U}) {  // 3 launches are the fewest that are compared
    Values a, b;
    for (std::size_t i = 0; i < n; ++i) {
      a.push_back(static_cast<double>(i) + 1.0);
      b.push_back(static_cast<double>(i * i));
    }
    const double f = 2.0 * static_cast<double>(n) - 2.0;
    const double exact = std::exp(std::lgamma(f / 2.0) - std::lgamma((f - 1.0) / 2.0)) / std::sqrt(f / 2.0);
    expect_close(hedges_g(a, b), cohens_d(a, b) * exact, 0.05 / (f * f));
  }
}

TEST(EffectSize, WithoutSpreadIsZeroOrUndefined) {
  EXPECT_EQ(hedges_g(Values{2, 2}, Values{2, 2}), 0.0);
  EXPECT_TRUE(std::isnan(hedges_g(Values{2, 2}, Values{3, 3}))) << "never infinite";
}

TEST(Fieller, OfBenchstatsExampleIsTheKnownOne) {
  const FiellerRatio r = fieller(kJsonNew, kJsonOld, 0.95);
  expect_close(r.estimate.value, 0.8253903755732281);
  expect_close(t_two_sided(r.degrees_of_freedom, 0.95), 2.1341773535010002);
  ASSERT_TRUE(r.estimate.interval);
  expect_close(r.estimate.interval->lo, 0.8174792817729596);
  expect_close(r.estimate.interval->hi, 0.8334142514404632);
}

TEST(Fieller, EndsWhereTheDifferenceIsJustSignificant) {
  // At an end R of the interval, |mean a - R mean b| = t sqrt(va + R^2 vb) by definition.
  const FiellerRatio r = fieller(kLeft, kRight, 0.95);
  const MeanTest zero = welch_t(kLeft, kLeft, 0.95);
  const double va =
      std::pow(zero.difference.interval->hi / t_two_sided(zero.degrees_of_freedom, 0.95), 2) / 2;
  const MeanTest other = welch_t(kRight, kRight, 0.95);
  const double vb =
      std::pow(other.difference.interval->hi / t_two_sided(other.degrees_of_freedom, 0.95), 2) / 2;
  double mean_a = 0.0, mean_b = 0.0;
  for (std::size_t i = 0; i < kLeft.size(); ++i) {
    mean_a += kLeft[i] / 15.0;
    mean_b += kRight[i] / 15.0;
  }
  const double t = t_two_sided(r.degrees_of_freedom, 0.95);
  for (const double end : {r.estimate.interval->lo, r.estimate.interval->hi})
    expect_close(std::abs(mean_a - end * mean_b), t * std::sqrt(va + end * end * vb), 1e-10);
}

TEST(Fieller, OverAMeanThatMayBeZeroHasNoInterval) {
  EXPECT_FALSE(fieller(Values{1, 2, 3}, Values{-1, 0, 2}, 0.95).estimate.interval);
}

}  // namespace
}  // namespace bench::analysis
