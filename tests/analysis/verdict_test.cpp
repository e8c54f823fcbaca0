// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/verdict.hpp"

#include <limits>

#include "analysis/statistics/equivalence.hpp"
#include "tests/analysis/known_answers.hpp"

namespace bench::analysis {
namespace {

using Values = std::vector<double>;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

const Values kBefore{10, 10.1, 9.9, 10.05, 9.95};
const Values kAfter{10.05, 10.15, 9.95, 10, 10.1};  // within 2 %, not shown to be within 1 %

/// The verdict with the comparison's own p, as in a table of one case.
Decision decide(const Values& before, const Values& after, const VerdictRule& rule = {}) {
  return decide_verdict({before, after, launch_ratio(before, after, rule.confidence).p}, rule);
}

Values times(const Values& values, double factor) {
  Values scaled;
  for (const double value : values) scaled.push_back(value * factor);
  return scaled;
}

TEST(Verdict, CallsAPlantedTenPercent) {
  const Decision slower = decide(kBefore, times(kBefore, 1.1));
  EXPECT_EQ(slower.verdict, Verdict::slower);
  expect_close(slower.ratio.value, 1.1);
  EXPECT_EQ(slower.reason.rfind("the new time is +10.00 % [", 0), 0U) << slower.reason;
  EXPECT_EQ(decide(times(kBefore, 1.1), kBefore).verdict, Verdict::faster);
}

TEST(Verdict, IsSameOnlyWhenTheBandHoldsTheInterval) {
  EXPECT_EQ(decide(kBefore, kAfter).verdict, Verdict::same);
  const Decision narrow = decide(kBefore, kAfter, {.margin = 0.01});
  EXPECT_EQ(narrow.verdict, Verdict::ambiguous);
  ASSERT_TRUE(narrow.launches_needed);
  EXPECT_GT(*narrow.launches_needed, 5);
  EXPECT_NE(narrow.reason.find("launches a side would tell 1 %"), std::string::npos) << narrow.reason;
}

TEST(Verdict, OfARealButTinyDifferenceIsSame) {
  const Values before{1.0, 1.0001, 0.9999, 1.00005, 0.99995};
  const Values after = times(before, 1.005);
  EXPECT_LT(launch_ratio(before, after, 0.95).p, 1e-6) << "it is real";
  EXPECT_EQ(decide(before, after).verdict, Verdict::same);
  EXPECT_EQ(decide(before, after, {.margin = 0.001}).verdict, Verdict::slower);
}

TEST(Verdict, NeedsThePAdjustedOverTheTable) {
  const Values after = times(kBefore, 1.1);
  EXPECT_EQ(decide_verdict({kBefore, after, 0.049}).verdict, Verdict::slower);
  EXPECT_EQ(decide_verdict({kBefore, after, 0.05}).verdict, Verdict::ambiguous);
}

TEST(Verdict, NeedsAnIntervalThatExcludesOne) {
  const Values noisy{8, 10, 12, 9, 11}, after{9, 11, 13, 10, 12};
  EXPECT_EQ(decide_verdict({noisy, after, 0.001}).verdict, Verdict::ambiguous) << "whatever p says";
}

TEST(Verdict, OfTooFewLaunchesIsInsufficient) {
  const Decision one = decide({1.0}, {2.0});
  EXPECT_EQ(one.verdict, Verdict::insufficient);
  EXPECT_EQ(one.reason, "1 launch a side; a verdict needs 3");
  expect_close(one.ratio.value, 2.0);
  EXPECT_FALSE(one.ratio.interval);
  EXPECT_EQ(one.launches_needed, 3);
  const Decision uneven = decide(kBefore, {10.0, 10.1});
  EXPECT_EQ(uneven.reason, "5 launches before and 2 after; a verdict needs 3 a side");
  EXPECT_EQ(decide({1, 1, 1}, {2, 2, 2}, {.min_launches = 5}).verdict, Verdict::insufficient);
  EXPECT_EQ(decide({1, 1}, {2, 2}, {.min_launches = 1}).verdict, Verdict::insufficient)
      << "two launches have no interval, whatever the rule says";
}

TEST(Verdict, OfTimesThatDoNotVaryIsCertain) {
  EXPECT_EQ(decide({2, 2, 2}, {2, 2, 2}).verdict, Verdict::same);
  EXPECT_EQ(decide({2, 2, 2}, {2.1, 2.1, 2.1}).verdict, Verdict::slower);
  EXPECT_EQ(decide({2, 2, 2}, {1.9, 1.9, 1.9}).verdict, Verdict::faster);
  EXPECT_EQ(decide({2, 2, 2}, {2.02, 2.02, 2.02}).verdict, Verdict::same) << "1 % is inside the margin";
  EXPECT_EQ(decide({2, 2, 2}, {2.1, 2.2, 2.15}).verdict, Verdict::slower) << "one side varies";
}

TEST(Verdict, OfABadTimeIsInvalid) {
  for (const double bad : {0.0, -1.0, kNaN, std::numeric_limits<double>::infinity()}) {
    Values broken(kBefore);
    broken.push_back(bad);
    EXPECT_EQ(decide(broken, kAfter).verdict, Verdict::invalid);
    EXPECT_EQ(decide(kAfter, broken).verdict, Verdict::invalid);
    EXPECT_EQ(decide({bad}, {1.0}).verdict, Verdict::invalid) << "not merely insufficient";
    EXPECT_EQ(decide({bad}, {}).verdict, Verdict::invalid);
    EXPECT_TRUE(std::isnan(decide(broken, kAfter).ratio.value));
  }
}

TEST(Verdict, OfAPThatIsNoneIsInvalid) {
  for (const double bad : {kNaN, -0.1, 1.5})
    EXPECT_EQ(decide_verdict({kBefore, kAfter, bad}).verdict, Verdict::invalid);
}

TEST(Verdict, OfOneSideOnlyIsMissingOrNew) {
  EXPECT_EQ(decide(kBefore, {}).verdict, Verdict::missing);
  EXPECT_EQ(decide({}, kAfter).verdict, Verdict::new_case);
  EXPECT_EQ(decide({}, {}).verdict, Verdict::invalid) << "nothing at all is not a pass";
}

TEST(Verdict, HasAWordForEach) {
  EXPECT_EQ(to_text(Verdict::faster), "faster");
  EXPECT_EQ(to_text(Verdict::slower), "slower");
  EXPECT_EQ(to_text(Verdict::same), "same");
  EXPECT_EQ(to_text(Verdict::ambiguous), "ambiguous");
  EXPECT_EQ(to_text(Verdict::insufficient), "insufficient");
  EXPECT_EQ(to_text(Verdict::missing), "missing");
  EXPECT_EQ(to_text(Verdict::new_case), "new");
  EXPECT_EQ(to_text(Verdict::invalid), "invalid");
}

TEST(Verdict, SaysWhyInWords) {
  for (const Decision& d : {decide(kBefore, kAfter), decide(kBefore, times(kBefore, 2.0)), decide({1.0}, {}),
                            decide({}, {}), decide({0.0}, {1.0})})
    EXPECT_FALSE(d.reason.empty());
}

}  // namespace
}  // namespace bench::analysis
