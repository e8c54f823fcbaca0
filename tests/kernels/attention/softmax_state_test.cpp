// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/softmax_state.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace bench::attention {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// State of two natural scores, written out.
SoftmaxState<double> state_of(double a, double b) {
  const double max = std::max(a, b) * kLog2E;
  return {max, std::exp2(a * kLog2E - max) + std::exp2(b * kLog2E - max)};
}

TEST(SoftmaxState, LogSumExpIsNatural) {
  EXPECT_NEAR(state_of(std::log(3.0), std::log(5.0)).log_sum_exp(), std::log(8.0), 1e-15);
}

TEST(SoftmaxState, EmptyRowGivesZeroAndMinusInfinityButNeverNan) {
  const SoftmaxState<double> empty;
  EXPECT_EQ(empty.normaliser(), 0.0);
  EXPECT_EQ(empty.log_sum_exp(), -kInfinity);
  const auto both = merge(empty, empty);
  EXPECT_TRUE(both.empty());
  EXPECT_EQ(both.log_sum_exp(), -kInfinity);
}

TEST(SoftmaxState, MergingWithAnEmptyStateChangesNothing) {
  const auto state = state_of(1.0, -2.0);
  for (const auto& merged : {merge(state, SoftmaxState<double>{}), merge(SoftmaxState<double>{}, state)}) {
    EXPECT_EQ(merged.max, state.max);
    EXPECT_EQ(merged.sum, state.sum);
  }
}

TEST(SoftmaxState, MergeEqualsTheWholeSetInEitherOrder) {
  const auto low = state_of(-1.0, 0.5),
             high = state_of(2.0, 300.0);  // 300: exp overflows fp32, must not here
  const double want = 300.0;               // the others are below its rounding
  EXPECT_NEAR(merge(low, high).log_sum_exp(), want, 1e-12);
  EXPECT_NEAR(merge(high, low).log_sum_exp(), want, 1e-12);
}

TEST(SoftmaxState, FloatHoldsExtremeScores) {
  const SoftmaxState<float> low{-2e4F, 1.0F}, high{2e4F, 1.0F};
  EXPECT_FLOAT_EQ(merge(low, high).log_sum_exp(), 2e4F * static_cast<float>(kLn2));
}

}  // namespace
}  // namespace bench::attention
