// SPDX-License-Identifier: Apache-2.0
#include "analysis/fits/least_squares.hpp"

#include "analysis/fits/nnls.hpp"
#include "src/core/error.hpp"
#include "src/core/rng.hpp"
#include "tests/analysis/known_answers.hpp"

namespace bench::analysis {
namespace {

// y = 1 + 2x through (0,1) (1,3) (2,5), then (3,10) off by 3: by hand, slope 14.5/5 = 2.9, intercept 4.75
// - 4.35.
const std::vector<double> kLine{1, 0, 1, 1, 1, 2, 1, 3}, kHeights{1, 3, 5, 10};

TEST(LeastSquares, OfFourPointsIsTheLineWorkedByHand) {
  const std::optional<LeastSquares> line = least_squares(kLine, kHeights, 2);
  ASSERT_TRUE(line);
  expect_close(line->x[0], 0.4);
  expect_close(line->x[1], 2.9);
  expect_close(line->rss, 2.7);  // residuals .6, -.3, -1.2, .9
}

TEST(LeastSquares, GivesTheInverseGramDiagonal) {
  // A^T A = [4 6; 6 14], determinant 20: the inverse has 14/20 and 4/20 on its diagonal.
  const std::vector<double> diagonal = inverse_gram_diagonal(least_squares(kLine, kHeights, 2)->r, 2);
  expect_close(diagonal[0], 0.7);
  expect_close(diagonal[1], 0.2);
}

TEST(LeastSquares, KeepsDigitsThatNormalEquationsLose) {
  // Lauchli's matrix: e^2 vanishes beside 1, so A^T A is singular in double, yet x = (1, 1) is well
  // determined.
  const double e = 1e-9;
  const std::optional<LeastSquares> solved = least_squares({1, 1, e, 0, 0, e}, {2, e, e}, 2);
  ASSERT_TRUE(solved);
  expect_close(solved->x[0], 1.0, 1e-6);
  expect_close(solved->x[1], 1.0, 1e-6);
}

TEST(LeastSquares, HasNoAnswerForDependentColumnsOrTooFewRows) {
  EXPECT_FALSE(least_squares({1, 2, 2, 4, 3, 6}, {1, 2, 3}, 2)) << "the second column is twice the first";
  EXPECT_FALSE(least_squares({1, 0}, {1}, 2));
  EXPECT_FALSE(least_squares({0, 0}, {1, 2}, 1)) << "a column of zeros explains nothing";
  EXPECT_THROW(least_squares({1, 2, 3}, {1, 2}, 2), Error);
}

TEST(Nnls, IsThePlainAnswerWhereThatIsNotNegative) {
  const NonNegative solved = non_negative_least_squares(kLine, kHeights, 2);
  expect_close(solved.x[1], 2.9);
  expect_close(solved.rss, 2.7);
}

TEST(Nnls, HoldsAtZeroWhatWouldBeNegative) {
  // Heights 3, 2, 1, 0 fall: slope -1 is not allowed, so the mean 1.5 is left, RSS 5.
  const NonNegative solved = non_negative_least_squares(kLine, std::vector<double>{3, 2, 1, 0}, 2);
  expect_close(solved.x[0], 1.5);
  EXPECT_EQ(solved.x[1], 0.0);
  expect_close(solved.rss, 5.0);
}

TEST(Nnls, WeighsRows) {
  // Weight 3 counts a row three times: the mean of 1 and 5, 5, 5.
  const NonNegative solved = non_negative_least_squares(std::vector<double>{1, 1}, std::vector<double>{1, 5},
                                                        1, std::vector<double>{1, 3});
  expect_close(solved.x[0], 4.0);
}

TEST(Nnls, MeetsTheConditionsOfAMinimumOnRandomProblems) {
  // Kuhn & Tucker: the gradient is 0 where x > 0 and nowhere points to a gain at x = 0. Half the answers of
  // 200 problems of 4 unknowns and 7 rows (a study's usual size) lie on a bound.
  constexpr std::size_t kColumns = 4, kRows = 7;
  for (std::uint64_t trial = 0; trial < 200; ++trial) {
    const CounterRng rng(trial, "nnls");
    std::vector<double> a, b;
    for (std::size_t i = 0; i < kRows * kColumns; ++i) a.push_back(rng.normal(i));
    for (std::size_t i = 0; i < kRows; ++i) b.push_back(rng.normal(1000 + i));
    const NonNegative solved = non_negative_least_squares(a, b, kColumns);
    std::vector<double> rest = b;
    for (std::size_t i = 0; i < kRows; ++i)
      for (std::size_t j = 0; j < kColumns; ++j) rest[i] -= a[i * kColumns + j] * solved.x[j];
    for (std::size_t j = 0; j < kColumns; ++j) {
      double gain = 0.0;
      for (std::size_t i = 0; i < kRows; ++i) gain += a[i * kColumns + j] * rest[i];
      ASSERT_GE(solved.x[j], 0.0);
      EXPECT_LE(gain, 1e-9) << "trial " << trial;
      if (solved.x[j] > 0.0) {
        EXPECT_GE(gain, -1e-9) << "trial " << trial;
      }
    }
  }
}

}  // namespace
}  // namespace bench::analysis
