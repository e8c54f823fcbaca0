// SPDX-License-Identifier: Apache-2.0
#include "analysis/crossovers.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "analysis/crossovers_section.hpp"
#include "tests/analysis/synthetic_run.hpp"

namespace bench::analysis {
namespace {

TEST(LastUpwardCrossing, IsOnTheLineInLogSizeBetweenTheTwoValuesAroundIt) {
  const std::vector<double> x{1024, 4096}, y{-1.0, 3.0};
  const LineCrossing line = last_upward_crossing(x, y);
  EXPECT_EQ(line.crossing, Crossing::found);
  EXPECT_NEAR(line.at, 1024 * std::sqrt(2.0), 1e-9) << "a quarter of the way from 2^10 to 2^12";
}

TEST(LastUpwardCrossing, OfSeveralIsTheOneAfterWhichItStays) {
  const std::vector<double> x{1, 2, 4, 8}, y{-1.0, 1.0, -1.0, 1.0};
  EXPECT_NEAR(last_upward_crossing(x, y).at, 4.0 * std::sqrt(2.0), 1e-12);
}

TEST(LastUpwardCrossing, IsNoneWhereTheSignStaysOrSizesAreFew) {
  const std::vector<double> x{1, 2}, above{1.0, 2.0}, below{-2.0, -1.0}, falls{1.0, -1.0};
  EXPECT_EQ(last_upward_crossing(x, above).crossing, Crossing::always);
  EXPECT_EQ(last_upward_crossing(x, below).crossing, Crossing::never);
  EXPECT_EQ(last_upward_crossing(x, falls).crossing, Crossing::never) << "faster at the least only";
  EXPECT_EQ(last_upward_crossing(std::span(x).first(1), std::span(above).first(1)).crossing, Crossing::too_little);
}

/// attention of "s/attn" takes seq^2, the scan of "s/scan" `scan` seq, in units of which 1024 attention steps take 1.005 ms.
RunRecord run_of(double scan) {
  RunRecord run = synthetic_run();
  run.cases.clear();
  run.visits.clear();
  const auto add = [&](const char* op, const char* kernel, const char* sweep, std::int64_t seq, double scale, double flops) {
    scaling::Case c = synthetic_case(op, kernel, 1);
    c.id += std::to_string(seq);
    c.params["seq"] = seq;
    c.cost.flops = flops;
    c.sweeps = {sweep};
    if (std::string(sweep) == "s/scan") c.crossovers = {{"s/scan", "s/attn", "seq"}};
    run.cases.push_back(c);
    for (const double noise : {1.0, 1.005, 0.995}) run.visits.push_back(synthetic_visit(c, scale * noise));
  };
  for (const std::int64_t seq : {512, 1024, 2048, 4096}) {
    const double steps = static_cast<double>(seq) / 1024.0;
    add("attention", "flash", "s/attn", seq, steps * steps, 1e9 * steps * steps);
    add("attention", "naive", "s/attn", seq, 2.0 * steps * steps, 1e9 * steps * steps);
    add("recurrence", "chunked", "s/scan", seq, scan * steps, 1e9 * steps * 2.0);
  }
  return run;
}

TEST(Crossovers, AreWhereTheFastestKernelsOfTwoSweepsTakeTheSameTime) {
  const RunRecord run = run_of(1.5);
  const std::vector<Crossover> found = find_crossovers(run, make_results(run));
  ASSERT_EQ(found.size(), 1U);
  const Crossover& c = found.front();
  ASSERT_EQ(c.points.size(), 4U);
  EXPECT_NEAR(c.points.front().ratio.value, 0.5 / 1.5, 1e-9) << "flash over chunked at 512, not naive";
  ASSERT_EQ(c.crossing, Crossing::found);
  EXPECT_NEAR(*c.at, 1536.0, 1e-6) << "both curves are straight in logarithms, so interpolation is exact: seq = 1.5 x 1024";
  ASSERT_TRUE(c.lo && c.hi);
  EXPECT_LT(*c.lo, 1536.0);
  EXPECT_GT(*c.hi, 1536.0);
  EXPECT_LT(*c.hi / *c.lo, 1.1) << "visits differ by half a per cent";
}

TEST(Crossovers, ArePredictedByTheLimitsOfBothProblems) {
  RunRecord run = run_of(1.5);
  Limits limits;
  limits.fp32_flops_per_s = 1e12;
  limits.triad_bytes_per_s.fill(1e15);
  limits.read_bytes_per_s.fill(1e15);
  limits.exps_per_s = 1e15;
  run.limits[{1, 1}] = limits;
  const Crossover c = find_crossovers(run, make_results(run)).front();
  ASSERT_EQ(c.predicted, Crossing::found);
  EXPECT_NEAR(*c.predicted_at, 2048.0, 1e-6) << "FLOPs alone bind: seq^2 = 2 seq at twice 1024";
}

TEST(Crossovers, SayThatASweepIsAlwaysOrNeverFaster) {
  RunRecord fast = run_of(0.1), slow = run_of(100.0);
  slow.limits.clear();
  EXPECT_EQ(find_crossovers(fast, make_results(fast)).front().crossing, Crossing::always);
  EXPECT_EQ(find_crossovers(slow, make_results(slow)).front().crossing, Crossing::never);
  const Section section = crossovers_section(slow, make_results(slow));
  ASSERT_EQ(section.table.rows.size(), 1U);
  EXPECT_EQ(section.table.rows[0][5], "beyond 4096");
  EXPECT_EQ(section.table.rows[0][6], "-") << "no limits were measured";
}

TEST(Crossovers, HoldOnlyLikeAgainstLike) {
  RunRecord run = run_of(1.5);
  for (scaling::Case& c : run.cases)
    if (c.op == "recurrence") c.params["dtype"] = std::string("bf16");
  EXPECT_TRUE(find_crossovers(run, make_results(run)).empty());
}

TEST(Crossovers, AreNoneWhereNoSweepAsksForOne) {
  const RunRecord run = synthetic_run();
  EXPECT_TRUE(crossovers_section(run, make_results(run)).table.rows.empty());
}

}  // namespace
}  // namespace bench::analysis
