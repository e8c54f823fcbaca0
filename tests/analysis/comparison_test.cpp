// SPDX-License-Identifier: Apache-2.0
// Two sides joined case by case. What the verdict rule itself says is in verdict_test.cpp; here: which rows
// there are, in which order, with which figures, and that nothing unmeasured looks like a number.
#include "analysis/compare/comparison.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/compare/comparison_text.hpp"
#include "tests/analysis/known_answers.hpp"
#include "tests/analysis/three_launches.hpp"

namespace bench::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kSd = 0.004;  // of the logarithms: three launches then tell 2 % (90 % interval: +-0.7 %)

/// Three launches that tell 2 %, and the ratio of two such sides for which Welch's t is `t`.
std::vector<double> launches(double median_s) {
  return three(median_s, kSd);
}
double ratio_of(double t) {
  return ratio_of_t(t, kSd);
}

Measured measured(std::vector<double> launches_s, Outcome outcome = Outcome::ok, std::string reason = "") {
  Measured one;
  one.launches_s = std::move(launches_s);
  one.outcome = outcome;
  one.reason = std::move(reason);
  return one;
}

Side side_of(std::map<std::string, Measured> cases, std::string label = "side") {
  Side side;
  side.label = std::move(label);
  side.cases = std::move(cases);
  for (auto& [key, one] : side.cases)
    if (one.name.empty()) one.name = key;
  return side;
}

/// The one row of a table of one case.
ComparisonRow row_of(const Measured& before, const Measured& after) {
  const Comparison comparison = compare(side_of({{"k", before}}), side_of({{"k", after}}));
  EXPECT_EQ(comparison.rows.size(), 1U);
  return comparison.rows.at(0);
}

std::vector<std::string> names(const Comparison& comparison) {
  std::vector<std::string> list;
  for (const ComparisonRow& row : comparison.rows) list.push_back(row.name);
  return list;
}

TEST(Comparison, JoinsByKeyAndSaysWhatOnlyOneSideHas) {
  const Side before = side_of({{"both", measured(launches(1.0))}, {"gone", measured(launches(1.0))}}, "a.h5");
  const Side after = side_of({{"both", measured(launches(1.0))}, {"fresh", measured(launches(2.0))}}, "b.h5");
  const Comparison comparison = compare(before, after);
  EXPECT_EQ(comparison.old_label, "a.h5");
  EXPECT_EQ(comparison.new_label, "b.h5");
  EXPECT_EQ(comparison.joined, 1U);
  ASSERT_EQ(names(comparison), (std::vector<std::string>{"both", "gone", "fresh"}));
  EXPECT_EQ(comparison.rows[0].verdict, Verdict::same);
  EXPECT_EQ(comparison.rows[1].verdict, Verdict::missing);
  EXPECT_EQ(comparison.rows[2].verdict, Verdict::new_case);
  expect_close(comparison.rows[1].old_s, 1.0);
  expect_close(comparison.rows[2].new_s, 2.0);
  EXPECT_TRUE(std::isnan(comparison.rows[1].new_s)) << "a time that was not measured is not 0";
  EXPECT_TRUE(std::isnan(comparison.rows[2].old_s));
  for (const std::size_t alone : {1U, 2U}) EXPECT_TRUE(std::isnan(comparison.rows[alone].adjusted_p));
  EXPECT_EQ(count_of(comparison, Verdict::missing), 1U);
  EXPECT_EQ(count_of(comparison, Verdict::faster), 0U);
}

TEST(Comparison, HasTheRowsOfBothSidesFirstThenMissingThenNewEachByName) {
  // Keys run against the names, so that an order by key would show.
  const auto named = [](const char* name, double time_s) {
    Measured one = measured(launches(time_s));
    one.name = name;
    return one;
  };
  const Side before =
      side_of({{"1", named("z", 1)}, {"2", named("b", 1)}, {"3", named("y", 1)}, {"4", named("a", 1)}});
  const Side after =
      side_of({{"1", named("z", 1)}, {"2", named("b", 3)}, {"5", named("x", 1)}, {"6", named("0", 1)}});
  EXPECT_EQ(names(compare(before, after)), (std::vector<std::string>{"b", "z", "a", "y", "0", "x"}));
}

TEST(Comparison, LeavesOutWhatNeitherSideTried) {
  for (const Outcome never : {Outcome::skipped, Outcome::infeasible, Outcome::interrupted}) {
    const Side none = side_of({{"k", measured({}, never, "library absent")}});
    EXPECT_TRUE(compare(none, none).rows.empty()) << to_text(never);
    EXPECT_TRUE(compare(none, Side{}).rows.empty()) << to_text(never);
    const Side has = side_of({{"k", measured(launches(1.0))}});
    EXPECT_EQ(compare(has, none).rows.at(0).verdict, Verdict::missing) << "skipped now is gone now";
    EXPECT_EQ(compare(none, has).rows.at(0).verdict, Verdict::new_case);
  }
}

TEST(Comparison, IsInvalidWhenTheNewSideFailedInEvenOneLaunch) {
  // Three launches that were fast do not make up for the fourth, which crashed.
  const ComparisonRow row =
      row_of(measured(launches(1.0)), measured(launches(0.5), Outcome::crashed, "signal 11"));
  EXPECT_EQ(row.verdict, Verdict::invalid);
  EXPECT_EQ(row.reason, "new side: crashed: signal 11");
  EXPECT_FALSE(row.launches_needed) << "more launches are no cure";
  const ComparisonRow silent = row_of(measured(launches(1.0)), measured({}, Outcome::timeout));
  EXPECT_EQ(silent.verdict, Verdict::invalid) << "tried and failed, not missing";
  EXPECT_EQ(silent.reason, "new side: timeout");
  const Comparison only_new =
      compare(Side{}, side_of({{"k", measured({}, Outcome::wrong_result, "off by 1")}}));
  ASSERT_EQ(only_new.rows.size(), 1U) << "a failure is a row even where nothing was measured before";
  EXPECT_EQ(only_new.rows[0].verdict, Verdict::invalid);
  EXPECT_EQ(row_of(measured(launches(1.0), Outcome::crashed), measured(launches(1.0))).verdict, Verdict::same)
      << "what the old side failed at, the new one does not answer for";
}

TEST(Comparison, TakesNoTimeThatIsNotPositive) {
  for (const double bad : {0.0, -1.0, kNaN, std::numeric_limits<double>::infinity()}) {
    const Measured good = measured(launches(1.0)), odd = measured({1.0, bad, 1.0});
    for (const ComparisonRow& row : {row_of(good, odd), row_of(odd, good)}) {
      EXPECT_EQ(row.verdict, Verdict::invalid) << bad;
      EXPECT_NE(row.reason.find("time is not a positive number"), std::string::npos) << row.reason;
      for (const double figure : {row.ratio.value, row.p, row.adjusted_p, row.hedges_g, row.cliffs_delta})
        EXPECT_TRUE(std::isnan(figure)) << bad;
    }
  }
}

TEST(Comparison, OfFewerThanThreeLaunchesIsInsufficientAndHasNoP) {
  const ComparisonRow row = row_of(measured({1.0, 1.0001}), measured({2.0, 2.0001}));
  EXPECT_EQ(row.verdict, Verdict::insufficient) << "twice as long, and two launches still prove nothing";
  EXPECT_NEAR(row.ratio.value, 2.0, 1e-3) << "the ratio is shown all the same";
  EXPECT_FALSE(row.ratio.interval);
  EXPECT_TRUE(std::isnan(row.p));
  EXPECT_TRUE(std::isnan(row.adjusted_p));
  EXPECT_EQ(row.launches_needed, 3);
}

TEST(Comparison, PointsUpWhenTheNewSideIsSlower) {
  // t = 3 at 4 degrees of freedom; g = J(4) u / sd with J(4) = 1 - 3/15 (Hedges 1981), u / sd = t sqrt(2/3).
  const ComparisonRow row = row_of(measured(launches(1.0)), measured(launches(ratio_of(3.0))));
  EXPECT_NEAR(row.ratio.value, ratio_of(3.0), 1e-12);
  EXPECT_GT(row.ratio.value, 1.0);
  EXPECT_NEAR(row.p, p_of_t4(3.0), 1e-9) << "the launches went through exp and log: nine digits are left";
  EXPECT_NEAR(row.hedges_g, 0.8 * 3.0 * std::sqrt(2.0 / 3.0), 1e-9);
  // New at u-sd, u, u+sd and old at -sd, 0, sd with u = 2.45 sd: all nine pairs have the new one slower.
  EXPECT_DOUBLE_EQ(row.cliffs_delta, 1.0);
  const ComparisonRow slower = row_of(measured(launches(1.0)), measured(launches(1.1)));
  EXPECT_EQ(slower.verdict, Verdict::slower);
  ASSERT_TRUE(slower.ratio.interval);
  EXPECT_GT(slower.ratio.interval->lo, 1.0);
}

TEST(Comparison, TurnsRoundWhenTheSidesAreSwapped) {
  Side before = side_of({{"same", measured(launches(1.0))},
                         {"slow", measured(launches(1.0))},
                         {"wide", measured(three(1.0, 0.2))},  // 20 % from launch to launch: tells nothing
                         {"few", measured({1.0})},
                         {"gone", measured(launches(1.0))}});
  Side after = side_of({{"same", measured(launches(1.001))},
                        {"slow", measured(launches(1.3))},
                        {"wide", measured(three(1.1, 0.2))},
                        {"few", measured({1.2})}});
  before.environment = {{"cpu", "A"}};
  after.environment = {{"cpu", "B"}};
  const Comparison there = compare(before, after), back = compare(after, before);
  const std::map<Verdict, Verdict> turned{{Verdict::same, Verdict::same},
                                          {Verdict::slower, Verdict::faster},
                                          {Verdict::ambiguous, Verdict::ambiguous},
                                          {Verdict::insufficient, Verdict::insufficient},
                                          {Verdict::missing, Verdict::new_case}};
  ASSERT_EQ(names(there), names(back));
  for (std::size_t i = 0; i < there.rows.size(); ++i) {
    const ComparisonRow &a = there.rows[i], &b = back.rows[i];
    EXPECT_EQ(b.verdict, turned.at(a.verdict)) << a.name;
    if (a.verdict == Verdict::missing) continue;
    EXPECT_NEAR(a.ratio.value * b.ratio.value, 1.0, 1e-12) << a.name;
    if (!a.ratio.interval) continue;
    EXPECT_NEAR(a.ratio.interval->lo * b.ratio.interval->hi, 1.0, 1e-12);
    EXPECT_NEAR(a.adjusted_p, b.adjusted_p, 1e-12) << a.name;
    EXPECT_NEAR(a.hedges_g, -b.hedges_g, 1e-9) << a.name;
    EXPECT_DOUBLE_EQ(a.cliffs_delta, -b.cliffs_delta) << a.name;
  }
  EXPECT_EQ(count_of(there, Verdict::slower), 1U);
  EXPECT_EQ(count_of(there, Verdict::ambiguous), 1U);
  EXPECT_EQ(there.environment_differences, std::vector<std::string>{"cpu: A -> B"});
  EXPECT_EQ(back.environment_differences, std::vector<std::string>{"cpu: B -> A"});
}

/// Cases a, b and c with t = 2.8, 3.0 and 9.0: p is 0.0488, 0.0399 and 0.0008. Two more have no p.
Comparison table(Correction correction) {
  std::map<std::string, Measured> before, after;
  for (const auto& [name, t] : {std::pair("a", 2.8), {"b", 3.0}, {"c", 9.0}}) {
    before[name] = measured(launches(1.0));
    after[name] = measured(launches(ratio_of(t)));
  }
  before["few"] = after["few"] = measured({1.0});
  before["gone"] = measured(launches(1.0));
  CompareRule rule;
  rule.verdict.margin = 0.001;  // a quarter of the launches' spread: none of the three is the same
  rule.correction = correction;
  return compare(side_of(before), side_of(after), rule);
}

TEST(Comparison, AdjustsPOverTheRowsThatHaveOne) {
  const double a = p_of_t4(2.8), b = p_of_t4(3.0), c = p_of_t4(9.0);
  const auto check = [&](Correction correction, double of_a, double of_b, double of_c, Verdict close) {
    const Comparison comparison = table(correction);
    ASSERT_EQ(names(comparison), (std::vector<std::string>{"a", "b", "c", "few", "gone"}));
    EXPECT_NEAR(comparison.rows[0].p, a, 1e-9) << "the plain p stays beside it";
    EXPECT_NEAR(comparison.rows[0].adjusted_p, of_a, 1e-9);
    EXPECT_NEAR(comparison.rows[1].adjusted_p, of_b, 1e-9);
    EXPECT_NEAR(comparison.rows[2].adjusted_p, of_c, 1e-9);
    EXPECT_EQ(comparison.rows[0].verdict, close) << comparison.rows[0].reason;
    EXPECT_EQ(comparison.rows[2].verdict, Verdict::slower);
    EXPECT_TRUE(std::isnan(comparison.rows[3].adjusted_p));
  };
  // Holm: 3 c, then max(3 c, 2 b), then max(2 b, a): a alone is below 5 %, in this table it is not.
  check(Correction::holm, 2.0 * b, 2.0 * b, 3.0 * c, Verdict::ambiguous);
  // Benjamini and Hochberg: min(3/1 c, 3/2 b, a), min(3/2 b, a), a.
  check(Correction::benjamini_hochberg, a, std::min(1.5 * b, a), 3.0 * c, Verdict::slower);
}

TEST(Comparison, NamesWhatDiffersInTheEnvironmentOfBothSides) {
  Side before, after;
  before.environment = {{"cpu.model", "A"}, {"host.os", "x"}, {"libraries.mpi", "4.1"}};
  after.environment = {{"cpu.model", "B"}, {"host.os", "x"}, {"gpu.name", "G"}};
  EXPECT_EQ(compare(before, after).environment_differences, std::vector<std::string>{"cpu.model: A -> B"})
      << "what one side does not know is not a difference";
}

TEST(ComparisonJson, HasNullWhereThereIsNoFigure) {
  const Side before =
      side_of({{"few", measured({1.0})}, {"gone", measured(launches(1.0))}, {"ok", measured(launches(1.0))}});
  const Side after =
      side_of({{"few", measured({1.0})}, {"ok", measured(launches(1.1))}, {"odd", measured({kNaN})}});
  const auto json = to_json(compare(before, after));
  const auto row = [&](const std::string& key) {
    for (const auto& one : json.at("rows"))
      if (one.at("case") == key) return one;
    ADD_FAILURE() << "no row " << key;
    return nlohmann::ordered_json();
  };
  for (const char* name : {"p", "p_adjusted", "hedges_g", "ratio_lo", "ratio_hi"})
    EXPECT_TRUE(row("few").at(name).is_null()) << name << " of one launch a side";
  EXPECT_EQ(row("few").at("ratio"), 1.0);
  EXPECT_EQ(row("few").at("launches_needed"), 3);
  for (const char* name :
       {"new_s", "ratio", "p", "p_adjusted", "hedges_g", "cliffs_delta", "launches_needed"})
    EXPECT_TRUE(row("gone").at(name).is_null()) << name << " of a case that is gone";
  EXPECT_EQ(row("gone").at("launches_new"), 0);
  EXPECT_TRUE(row("odd").at("new_s").is_null());
  EXPECT_EQ(row("odd").at("verdict"), "invalid");
  for (const char* name : {"p", "ratio", "ratio_lo", "hedges_g", "cliffs_delta"})
    EXPECT_TRUE(row("ok").at(name).is_number()) << name << " exists, and null would hide it";
  EXPECT_EQ(row("ok").at("verdict"), "slower");
  EXPECT_EQ(json.at("correction"), "holm");
  const std::string text = json.dump();
  for (const char* word : {"nan", "NaN", "inf"}) EXPECT_EQ(text.find(word), std::string::npos) << text;
}

TEST(ComparisonText, AddsUpTheVerdictsAndGivesEachReasonOnce) {
  std::map<std::string, Measured> before{{"s1", measured(launches(1.0))}, {"s2", measured(launches(1.0))}};
  std::map<std::string, Measured> after = before;
  after["s2"] = measured(launches(1.5));
  for (const char* gone : {"g1", "g2"}) before[gone] = measured(launches(1e-3));
  const std::string text = comparison_text(compare(side_of(before, "a.h5"), side_of(after, "b.h5")));
  EXPECT_EQ(text.rfind("a.h5 -> b.h5\n", 0), 0U) << text;
  EXPECT_NE(text.find("1 slower, 1 same, 2 missing (margin 2 %"), std::string::npos) << text;
  EXPECT_NE(text.find("Holm over 4 rows"), std::string::npos) << text;
  EXPECT_NE(text.find("  2 x missing: measured before, absent from the new results\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("1 ms"), std::string::npos) << "the time that is known is shown\n" << text;
  EXPECT_EQ(text.find("nan"), std::string::npos) << text;
  EXPECT_NE(comparison_text(compare(Side{}, Side{})).find("no case (margin"), std::string::npos);
}

}  // namespace
}  // namespace bench::analysis
