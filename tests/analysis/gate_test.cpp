// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare/gate.hpp"

#include <gtest/gtest.h>

#include "tests/analysis/gate_rows.hpp"

namespace bench::analysis {
namespace {

using State = GateRow::State;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// The state of `row` in a table beside a case that is the same on both sides.
GateRow judged(const ComparisonRow& row, const Policy& policy = {}) {
  const GateResult result = gate(table_of({same_row("other"), row}), policy);
  EXPECT_EQ(result.rows.at(0).state, State::passed);
  EXPECT_EQ(result.passed, !result.rows.at(1).blocks);
  return result.rows.at(1);
}

void expect_error(const Comparison& comparison, const Policy& policy, ErrorKind kind,
                  const std::string& words) {
  try {
    gate(comparison, policy);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind);
    EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
  }
}

TEST(Gate, PassesATableOfEquals) {
  const GateResult result = gate(table_of({same_row("a"), same_row("b")}), {});
  EXPECT_TRUE(result.passed);
  EXPECT_EQ(result.headline, "passed: 2 passed among 2 cases");
}

TEST(Gate, FailsOnARegressionAndNamesIt) {
  const GateResult result = gate(table_of({same_row("a"), regressed_row("b")}), {});
  EXPECT_FALSE(result.passed);
  EXPECT_EQ(result.rows[1].state, State::regression);
  EXPECT_EQ(result.headline, "failed: 1 regression among 2 cases; worst: b +8.00 % [+5.00 %, +11.00 %]");
}

TEST(Gate, JudgesTheLowerEndOfTheInterval) {
  EXPECT_EQ(judged(row_of("k", 1.04, 1.0301, 1.05, 0.001)).state, State::regression);
  EXPECT_EQ(judged(row_of("k", 1.04, 1.0299, 1.05, 0.001)).state, State::passed);
  EXPECT_EQ(judged(row_of("k", 1.50, 1.02, 2.20, 0.04)).state, State::passed)
      << "noisy, and told from 3 % by nothing";
}

TEST(Gate, NeedsTheAdjustedPToo) {
  EXPECT_EQ(judged(row_of("k", 1.08, 1.05, 1.11, 0.049)).state, State::regression);
  EXPECT_EQ(judged(row_of("k", 1.08, 1.05, 1.11, 0.051)).state, State::passed);
}

TEST(Gate, HasAFloorInSeconds) {
  Policy policy;
  policy.abs_floor_s = 79e-6;  // the regression is 80 us of 1 ms
  EXPECT_EQ(judged(regressed_row("k"), policy).state, State::regression);
  policy.abs_floor_s = 81e-6;
  const GateRow row = judged(regressed_row("k"), policy);
  EXPECT_EQ(row.state, State::passed);
  EXPECT_NE(row.reason.find("the floor is 81 us"), std::string::npos) << row.reason;
}

TEST(Gate, HasOtherLimitsForCasesThatFitAPattern) {
  Policy policy;
  policy.overrides.push_back({"comm/*", 0.15, std::nullopt});
  EXPECT_EQ(judged(regressed_row("comm/ring seq=8"), policy).state, State::passed);
  EXPECT_EQ(judged(regressed_row("attention/ring seq=8"), policy).state, State::regression);
}

TEST(Gate, SaysWhenAnOverrideFitsNothing) {
  Policy policy;
  policy.overrides.push_back({"com/*", 0.15, std::nullopt});
  const GateResult result = gate(table_of({same_row("comm/a")}), policy);
  EXPECT_NE(result.headline.find("override 'com/*' fits no case"), std::string::npos) << result.headline;
}

TEST(Gate, CallsImprovedWhatIsFasterByMoreThanTheMargin) {
  EXPECT_EQ(judged(row_of("k", 0.9, 0.85, 0.95, 0.001)).state, State::improved);
  EXPECT_EQ(judged(row_of("k", 0.975, 0.96, 0.99, 0.001)).state, State::passed) << "1/0.99 is within 2 %";
  Policy policy;
  policy.overrides.push_back({"*", std::nullopt, 0.005});
  EXPECT_EQ(judged(row_of("k", 0.975, 0.96, 0.99, 0.001), policy).state, State::improved);
}

TEST(Gate, AdmitsWhatItCannotRuleOut) {
  const GateResult result = gate(table_of({row_of("k", 1.0, 0.8, 1.25, 0.9)}), {});
  EXPECT_TRUE(result.passed);
  EXPECT_NE(result.headline.find("in 1 of the passed more launches would be needed"), std::string::npos)
      << result.headline;
}

TEST(Gate, DoesNotPassOnWhatIsInvalid) {
  ComparisonRow row = regressed_row("k");
  row.verdict = Verdict::invalid;
  row.reason = "new side: oom";
  Policy lenient;
  lenient.allow_missing = lenient.allow_undecided = true;
  EXPECT_EQ(judged(row, lenient).state, State::invalid);
  EXPECT_TRUE(judged(row, lenient).blocks);
}

TEST(Gate, DoesNotPassOnNaNWhateverTheVerdictSays) {
  const auto broken = [](const auto& change) {
    ComparisonRow row = same_row("k");
    change(row);
    const GateRow result = judged(row);
    EXPECT_EQ(result.state, State::invalid);
    EXPECT_TRUE(result.blocks);
  };
  broken([](ComparisonRow& row) { row.ratio.value = kNaN; });
  broken([](ComparisonRow& row) { row.ratio.interval->lo = kNaN; });
  broken([](ComparisonRow& row) { row.ratio.interval->hi = kNaN; });
  broken([](ComparisonRow& row) { row.ratio.interval.reset(); });
  broken([](ComparisonRow& row) { row.adjusted_p = kNaN; });
  broken([](ComparisonRow& row) { row.new_s = kNaN; });
  broken([](ComparisonRow& row) { row.old_s = kNaN; });
}

TEST(Gate, DoesNotPassOnMissingCasesUnlessAllowed) {
  Policy policy;
  EXPECT_TRUE(judged(one_sided_row("k", Verdict::missing), policy).blocks);
  policy.allow_missing = true;
  EXPECT_FALSE(judged(one_sided_row("k", Verdict::missing), policy).blocks);
  EXPECT_EQ(judged(one_sided_row("k", Verdict::missing), policy).state, State::missing);
}

TEST(Gate, PassesNewCases) {
  const GateRow row = judged(one_sided_row("k", Verdict::new_case));
  EXPECT_EQ(row.state, State::new_case);
  EXPECT_FALSE(row.blocks);
}

TEST(Gate, DoesNotPassOnTooFewLaunchesUnlessAllowed) {
  Policy policy;
  EXPECT_EQ(judged(insufficient_row("k", 2), policy).state, State::undecided);
  EXPECT_TRUE(judged(insufficient_row("k", 2), policy).blocks);
  policy.allow_undecided = true;
  EXPECT_FALSE(judged(insufficient_row("k", 2), policy).blocks);
}

TEST(Gate, RefusesAnEmptyJoin) {
  const Comparison disjoint =
      table_of({one_sided_row("a", Verdict::missing), one_sided_row("b", Verdict::new_case)});
  Policy lenient;
  lenient.allow_missing = lenient.allow_undecided = true;
  expect_error(disjoint, lenient, ErrorKind::no_match, "nothing to compare: ");
  expect_error(table_of({}), lenient, ErrorKind::no_match, "nothing to compare: ");
}

TEST(Gate, RefusesToJudgeWhenNoCaseHasEnoughLaunches) {
  Policy lenient;
  lenient.allow_missing = lenient.allow_undecided = true;
  const Comparison few = table_of({insufficient_row("a", 1), insufficient_row("b", 2)});
  expect_error(few, lenient, ErrorKind::usage,
               "at most 2 in 'base.h5' and 2 in 'new.h5', and a gate needs min_launches = 3");
  Policy more;
  more.compare.verdict.min_launches = 6;
  expect_error(table_of({same_row("a")}), more, ErrorKind::usage, "min_launches = 6");
}

TEST(Gate, PrefersAFailureThatIsCertainToRefusing) {
  ComparisonRow wrong = insufficient_row("a", 1);
  wrong.verdict = Verdict::invalid;
  wrong.reason = "accuracy failed: error 1";
  const GateResult result = gate(table_of({wrong, insufficient_row("b", 1)}), {});
  EXPECT_FALSE(result.passed);
  EXPECT_EQ(result.rows[0].state, State::invalid);
}

ComparisonRow with_criterion(CriterionResult::State state) {
  ComparisonRow row = same_row("k");
  CriterionResult criterion;
  criterion.name = "max_memory_increase";
  criterion.state = state;
  criterion.reason = "the figures";
  row.criteria.push_back(criterion);
  return row;
}

TEST(Gate, FailsOnACriterionThatFailed) {
  EXPECT_EQ(judged(with_criterion(CriterionResult::State::met)).state, State::passed);
  const GateRow row = judged(with_criterion(CriterionResult::State::failed));
  EXPECT_EQ(row.state, State::failed_criterion);
  EXPECT_EQ(row.reason, "max_memory_increase: the figures");
}

TEST(Gate, FailsOnACriterionThatNobodyLookedAt) {
  const ComparisonRow row = with_criterion(CriterionResult::State::not_measured);
  EXPECT_EQ(judged(row).state, State::undecided);
  EXPECT_TRUE(judged(row).blocks);
  Policy lenient;
  lenient.allow_undecided = true;
  EXPECT_FALSE(judged(row, lenient).blocks);
  ComparisonRow slower = regressed_row("k");
  slower.criteria = row.criteria;
  EXPECT_EQ(judged(slower, lenient).state, State::regression) << "the worse finding is the one shown";
}

TEST(Gate, HoldsNewTimesAgainstAbsoluteBounds) {
  const auto state_with = [](double lo, double hi) {
    Policy policy;
    policy.bounds.push_back({"k*", 0.9e-3, lo, hi});  // the case takes 1 ms: 11 % more
    return judged(same_row("k 1"), policy).state;
  };
  EXPECT_EQ(state_with(-0.1, 0.12), State::passed);
  EXPECT_EQ(state_with(-0.1, 0.10), State::out_of_bounds);
  Policy fast;
  fast.bounds.push_back({"k*", 2e-3, -0.4, std::nullopt});  // suspiciously fast: half of it
  const GateRow row = judged(same_row("k 1"), fast);
  EXPECT_EQ(row.state, State::out_of_bounds);
  EXPECT_EQ(row.reason, "the new time 1 ms is below 1.2 ms, the lower end of 'k*'");
}

TEST(Gate, ABoundThatFitsNoCaseIsMissing) {
  Policy policy;
  policy.bounds.push_back({"gone*", 1e-3, std::nullopt, 0.1});
  const GateResult result = gate(table_of({same_row("k")}), policy);
  EXPECT_FALSE(result.passed);
  ASSERT_EQ(result.rows.size(), 2U);
  EXPECT_EQ(result.rows[1].name, "gone*");
  EXPECT_EQ(result.rows[1].state, State::missing);
  policy.allow_missing = true;
  EXPECT_TRUE(gate(table_of({same_row("k")}), policy).passed);
}

TEST(Gate, HasAWordForEveryState) {
  EXPECT_EQ(to_text(State::passed), "passed");
  EXPECT_EQ(to_text(State::failed_criterion), "failed criterion");
  EXPECT_EQ(to_text(State::undecided), "undecided");
  EXPECT_EQ(to_text(State::new_case), "new");
  EXPECT_EQ(to_text(State::improved), "improved");
}

}  // namespace
}  // namespace bench::analysis
