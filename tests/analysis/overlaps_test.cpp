// SPDX-License-Identifier: Apache-2.0
#include "analysis/overlaps.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "analysis/overlaps_section.hpp"
#include "analysis/scaling_rows.hpp"
#include "analysis/winners.hpp"
#include "tests/analysis/synthetic_run.hpp"

namespace bench::analysis {
namespace {

Estimate exactly(double value) { return {value, Interval{value, value, 0.99}}; }
Estimate within(double value, double half) { return {value, Interval{value - half, value + half, 0.99}}; }

TEST(OverlapOf, IsOneWhenTheShorterIsHiddenAndZeroWhenOneWaitsForTheOther) {
  EXPECT_DOUBLE_EQ(overlap_of(exactly(8.0), exactly(8.0), exactly(5.0)).value, 1.0);
  EXPECT_DOUBLE_EQ(overlap_of(exactly(13.0), exactly(8.0), exactly(5.0)).value, 0.0);
  EXPECT_DOUBLE_EQ(overlap_of(exactly(9.0), exactly(8.0), exactly(5.0)).value, 0.8) << "of the literature's example";
  EXPECT_LT(overlap_of(exactly(14.0), exactly(8.0), exactly(5.0)).value, 0.0) << "they slowed each other down";
}

TEST(OverlapOf, HasAnIntervalWithEveryValueOfTheBox) {
  const Estimate t = within(9.0, 0.5), c = within(6.0, 1.5), m = within(5.0, 1.0);  // compute and exchange may be equal
  const Estimate o = overlap_of(t, c, m);
  ASSERT_TRUE(o.interval);
  EXPECT_NEAR(o.interval->confidence, 0.97, 1e-12);
  double least = 1e9, most = -1e9;
  for (int i = 0; i <= 40; ++i)
    for (int j = 0; j <= 40; ++j)
      for (int k = 0; k <= 40; ++k) {
        const double a = 8.5 + i / 40.0, b = 4.5 + 3.0 * j / 40.0, d = 4.0 + 2.0 * k / 40.0;
        const double value = (b + d - a) / std::min(b, d);
        least = std::min(least, value), most = std::max(most, value);
      }
  EXPECT_NEAR(o.interval->lo, least, 1e-9);
  EXPECT_NEAR(o.interval->hi, most, 1e-9);
}

TEST(OverlapOf, HasNoneWhenATimeHasNone) { EXPECT_FALSE(overlap_of(exactly(9.0), {8.0, std::nullopt}, exactly(5.0)).interval); }

/// A ring of two ranks and its parts, three visits each: 1, 0.8 and 0.5 times the ten samples; and the ring of one rank, 1.6 times.
RunRecord ring_and_parts(bool with_whole = true) {
  RunRecord run = synthetic_run();
  run.cases.clear();
  run.visits.clear();
  const auto add = [&](const char* part, std::int64_t ranks, double scale) {
    scaling::Case c = synthetic_case("attention", "ring", ranks);
    c.id += part;
    c.baseline = "attention/ring";
    if (*part != '\0') c.params["part"] = std::string(part);
    else c.scaling = {{"s/strong", "strong", "", "curve"}};
    run.cases.push_back(c);
    for (const double noise : {1.0, 1.005, 0.995}) run.visits.push_back(synthetic_visit(c, scale * noise));
  };
  add("", 1, 1.6);
  if (with_whole) add("", 2, 1.0);
  add("compute", 2, 0.8);
  add("exchange", 2, 0.5);
  return run;
}

TEST(Overlaps, SetAWholeCallBesideItsParts) {
  const RunRecord run = ring_and_parts();
  const std::vector<Overlap> found = find_overlaps(run, make_results(run));
  ASSERT_EQ(found.size(), 1U);
  ASSERT_TRUE(found[0].overlap && found[0].exposed);
  EXPECT_EQ(found[0].whole, 1U);
  EXPECT_NEAR(found[0].overlap->value, (0.8 + 0.5 - 1.0) / 0.5, 1e-3);
  EXPECT_NEAR(found[0].exposed->value, 0.2, 1e-3);
  ASSERT_TRUE(found[0].overlap->interval && found[0].exposed->interval);
  EXPECT_LT(found[0].exposed->interval->lo, found[0].exposed->value);
  EXPECT_GT(found[0].exposed->interval->hi, found[0].exposed->value);
  const Section section = overlaps_section(run, make_results(run));
  ASSERT_EQ(section.table.rows.size(), 1U);
}

TEST(Overlaps, PartsWithoutTheWholeAreARowWithoutTheFigures) {
  const RunRecord run = ring_and_parts(false);
  const std::vector<Overlap> found = find_overlaps(run, make_results(run));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_FALSE(found[0].whole || found[0].overlap || found[0].exposed);
  EXPECT_TRUE(found[0].compute && found[0].exchange);
}

TEST(Overlaps, APartIsNobodysRivalAndHasNoRate) {
  const RunRecord run = ring_and_parts();
  const Results results = make_results(run);
  for (const std::size_t row : {2U, 3U}) {
    EXPECT_TRUE(results.cases[row].timed());
    EXPECT_FALSE(results.cases[row].whole());
    EXPECT_FALSE(results.cases[row].speedup);
    EXPECT_EQ(results.cases[row].flops_per_s, 0.0);
    EXPECT_EQ(results.cases[row].limit, "");
  }
  EXPECT_TRUE(find_winners(run, results).empty());
}

TEST(Overlaps, AreAFactorOfTheEfficiencyThatIsMeasured) {
  const RunRecord run = ring_and_parts();
  const Results results = make_results(run);
  ASSERT_EQ(results.scaling.size(), 2U);
  const Factors& two = results.scaling[1].factors;
  EXPECT_TRUE(two.overlap_measured);
  ASSERT_TRUE(two.overlap);
  EXPECT_NEAR(*two.overlap, 0.8, 1e-3) << "Tc / T";
  EXPECT_FALSE(results.scaling[0].factors.overlap_measured);
}

}  // namespace
}  // namespace bench::analysis
