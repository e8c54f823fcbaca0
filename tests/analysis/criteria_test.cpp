// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare/criteria.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace bench::analysis {
namespace {

using State = CriterionResult::State;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Five launches, the fewest that give an interval of use; 1 % apart, so that it is narrow.
Measured measured(double time_s) {
  Measured one;
  one.name = "attention/flash";
  one.dtype = "fp32";
  for (const double factor : {0.99, 1.0, 1.01, 0.995, 1.005}) one.launches_s.push_back(time_s * factor);
  one.error = 1e-6;
  one.tolerance = 1e-5;
  one.peak_memory_bytes = 1000000;
  return one;
}

/// The row of the one case, compared and judged.
ComparisonRow judge(const Measured& before, const Measured& after, const Criteria& criteria) {
  Side old_side, new_side;
  if (!before.name.empty()) old_side.cases["k"] = before;
  if (!after.name.empty()) new_side.cases["k"] = after;
  Comparison comparison = compare(old_side, new_side);
  apply_criteria(comparison, old_side, new_side, criteria);
  return comparison.rows.at(0);
}

State only_state(const ComparisonRow& row) {
  EXPECT_EQ(row.criteria.size(), 1U);
  return row.criteria.at(0).state;
}

template <class Value>
Criteria asking(std::optional<Value> Criteria::*field, Value value) {
  Criteria criteria;
  criteria.*field = value;
  return criteria;
}

TEST(Criteria, LookAtTheLowerEndOfTheSpeedUp) {
  const auto wanted = asking(&Criteria::min_speedup, 1.2);
  const ComparisonRow clear = judge(measured(1.3), measured(1.0), wanted);
  EXPECT_EQ(only_state(clear), State::met) << clear.criteria[0].reason;
  // A speed-up of 1.205 with an interval of about +-1.2 %: the mean passes, its lower end does not.
  const ComparisonRow close = judge(measured(1.205), measured(1.0), wanted);
  EXPECT_GT(1.0 / close.ratio.value, 1.2);
  EXPECT_EQ(only_state(close), State::failed);
  EXPECT_EQ(close.verdict, Verdict::faster) << "only accuracy blanks the verdict on speed";
}

TEST(Criteria, WithoutAnIntervalThereIsNoSpeedUp) {
  Measured after = measured(1.0);
  after.launches_s.resize(2);  // one under the three that an interval needs
  EXPECT_EQ(only_state(judge(measured(2.0), after, asking(&Criteria::min_speedup, 1.2))),
            State::not_measured);
}

TEST(Criteria, AllowMemoryUpToTheLimitItself) {
  const auto limit = asking(&Criteria::max_memory_increase, 0.05);
  Measured after = measured(1.0);
  after.peak_memory_bytes = 1050000;  // 5 % more: not a binary fraction, and no reason to fail
  EXPECT_EQ(only_state(judge(measured(1.0), after, limit)), State::met);
  after.peak_memory_bytes = 1050001;
  EXPECT_EQ(only_state(judge(measured(1.0), after, limit)), State::failed);
  after.peak_memory_bytes = 0;
  EXPECT_EQ(only_state(judge(measured(1.0), after, limit)), State::not_measured)
      << "0 is unavailable, not nothing";
}

TEST(Criteria, HoldErrorsAgainstTheLimitOfTheirDtype) {
  const auto limits = asking(&Criteria::max_abs_diff, default_error_limits());
  Measured after = measured(1.0);
  EXPECT_EQ(only_state(judge(measured(1.0), after, limits)), State::met);
  after.error = 1.1e-5;  // above fp32's 1e-5, far below bf16's 2e-2
  const ComparisonRow failed = judge(measured(1.0), after, limits);
  EXPECT_EQ(only_state(failed), State::failed);
  EXPECT_EQ(failed.verdict, Verdict::invalid);
  EXPECT_EQ(failed.reason.rfind("accuracy failed: ", 0), 0U) << failed.reason;
  after.dtype = "bfloat16";
  EXPECT_EQ(only_state(judge(measured(1.0), after, limits)), State::met) << "another name of bf16";
  after.dtype = "int8";
  EXPECT_EQ(only_state(judge(measured(1.0), after, limits)), State::not_measured);
  ErrorLimits one_for_all;
  one_for_all.any = 1e-3;
  EXPECT_EQ(only_state(judge(measured(1.0), after, asking(&Criteria::max_abs_diff, one_for_all))),
            State::met);
}

TEST(Criteria, DoNotTakeAFileWithoutAnOracleForExact) {
  Measured after = measured(1.0);
  after.error = after.tolerance = 0.0;
  const ComparisonRow row =
      judge(measured(1.0), after, asking(&Criteria::max_abs_diff, default_error_limits()));
  EXPECT_EQ(only_state(row), State::not_measured);
  EXPECT_EQ(row.verdict, Verdict::same);
}

TEST(Criteria, AWrongResultBlanksTheVerdictEvenUnasked) {
  Measured after = measured(0.5);
  after.outcome = Outcome::wrong_result;
  after.reason = "error 0.3 above 1e-5";
  const ComparisonRow row = judge(measured(1.0), after, {});
  EXPECT_EQ(row.verdict, Verdict::invalid);
  EXPECT_EQ(row.reason, "accuracy failed: error 0.3 above 1e-5");
  EXPECT_EQ(only_state(row), State::failed);
  EXPECT_TRUE(row.criteria[0].accuracy);
  after.launches_s.clear();  // as our files have it: a wrong kernel has no time
  EXPECT_EQ(judge(measured(1.0), after, {}).verdict, Verdict::invalid);
}

TEST(Criteria, AnErrorThatIsNoNumberFails) {
  Measured after = measured(0.5);
  after.error = kNaN;
  for (const Criteria& criteria : {Criteria{}, asking(&Criteria::max_abs_diff, default_error_limits())}) {
    const ComparisonRow row = judge(measured(1.0), after, criteria);
    EXPECT_EQ(row.verdict, Verdict::invalid);
    EXPECT_EQ(only_state(row), State::failed);
  }
}

TEST(Criteria, HoldMetricsOfTwoSidesAgainstEachOther) {
  const auto not_worse = asking(&Criteria::max_perplexity_increase, 0.0);
  Measured before = measured(1.0), after = measured(1.0);
  EXPECT_EQ(only_state(judge(before, after, not_worse)), State::not_measured);
  before.metrics["perplexity"] = after.metrics["perplexity"] = 12.5;
  EXPECT_EQ(only_state(judge(before, after, not_worse)), State::met);
  after.metrics["perplexity"] = 12.51;
  EXPECT_EQ(only_state(judge(before, after, not_worse)), State::failed);
  after.metrics["perplexity"] = kNaN;
  EXPECT_EQ(only_state(judge(before, after, not_worse)), State::failed) << "a NaN was measured";
  before.metrics["steps_to_target"] = 100;
  after.metrics["steps_to_target"] = 105;
  const auto ratio = asking(&Criteria::max_convergence_ratio, 1.05);
  EXPECT_EQ(only_state(judge(before, after, ratio)), State::met);
  after.metrics["steps_to_target"] = 106;
  EXPECT_EQ(only_state(judge(before, after, ratio)), State::failed);
}

TEST(Criteria, BoundTheGradientNormFromBothEnds) {
  NormBounds bounds;
  bounds.min = 1e-6;
  bounds.max = 10.0;
  const auto wanted = asking(&Criteria::gradient_norm, bounds);
  Measured after = measured(1.0);
  after.metrics["gradient_norm_max"] = 9.0;
  EXPECT_EQ(only_state(judge(measured(1.0), after, wanted)), State::not_measured) << "no smallest norm";
  after.metrics["gradient_norm_min"] = 1e-3;
  EXPECT_EQ(only_state(judge(measured(1.0), after, wanted)), State::met);
  after.metrics["gradient_norm_max"] = 11.0;  // exploding
  EXPECT_EQ(only_state(judge(measured(1.0), after, wanted)), State::failed);
  after.metrics["gradient_norm_max"] = 9.0;
  after.metrics["gradient_norm_min"] = 0.0;  // vanishing
  EXPECT_EQ(only_state(judge(measured(1.0), after, wanted)), State::failed);
}

TEST(Criteria, OfANewCaseAreThoseThatNeedNoOldSide) {
  Criteria criteria = asking(&Criteria::max_abs_diff, default_error_limits());
  criteria.min_speedup = 1.2;
  criteria.max_memory_increase = 0.05;
  const ComparisonRow row = judge({}, measured(1.0), criteria);
  EXPECT_EQ(row.verdict, Verdict::new_case);
  EXPECT_EQ(only_state(row), State::met);
  EXPECT_EQ(row.criteria[0].name, "max_abs_diff");
  EXPECT_TRUE(judge(measured(1.0), {}, criteria).criteria.empty()) << "missing: nothing to judge";
}

}  // namespace
}  // namespace bench::analysis
