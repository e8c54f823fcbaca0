// SPDX-License-Identifier: Apache-2.0
// The factors of an efficiency on runs that can be worked with a pencil: a ring on 4 ranks whose losses are
// put in one by one.
#include "analysis/factors.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "analysis/results.hpp"
#include "tests/analysis/scaling_run.hpp"

namespace bench::analysis {
namespace {

const ScalingRow& row_on(const Results& results, const RunRecord& run, std::int64_t ranks,
                         const std::string& mode = "strong") {
  for (const ScalingRow& row : results.scaling)
    if (run.cases[row.case_index].ranks == ranks && row.tag.mode == mode) return row;
  throw Error(ErrorKind::internal, concat("no row on ", ranks, " ranks"));
}

TEST(Factors, OfABaseAreOne) {
  const RunRecord run = ring_run("zigzag", {{1, 1.0}, {4, 0.25}});
  const ScalingRow row = row_on(make_results(run), run, 1);
  EXPECT_DOUBLE_EQ(row.factors.layout.value(), 1.0);
  EXPECT_DOUBLE_EQ(row.factors.skew.value(), 1.0);
  EXPECT_DOUBLE_EQ(row.factors.remainder.value(), 1.0);
}

/// Contiguous causal, 16 tokens a rank on 4: (4 16 + 1) / (7 16 + 1). A run at exactly that ceiling has
/// nothing left to explain.
TEST(Factors, TheLayoutIsTheClosedFormAndTheRestIsOneAtItsCeiling) {
  const double ceiling = 65.0 / 113.0;
  const RunRecord run = ring_run("contiguous", {{1, 1.0}, {4, 0.25 / ceiling}});
  const ScalingRow row = row_on(make_results(run), run, 4);
  EXPECT_NEAR(row.efficiency->value, ceiling, 1e-12);
  EXPECT_NEAR(row.factors.layout.value(), ceiling, 1e-12);
  EXPECT_NEAR(row.factors.ideal.value(), ceiling, 1e-12);
  EXPECT_NEAR(row.factors.remainder.value(), 1.0, 1e-12);
  EXPECT_FALSE(row.factors.shape) << "one rank on 16 tokens was not measured, and is not guessed";
  EXPECT_FALSE(row.factors.overlap) << "no link was measured";
}

/// One rank is 20 % slower on a quarter of the tokens: half of the loss of this run. The other half is the
/// remainder.
TEST(Factors, TheShapeComesFromTheOneRankCaseOnAShare) {
  RunRecord run = ring_run("zigzag", {{1, 1.0}, {4, 0.25 / 0.64}});
  add_ring_case(run, "zigzag", 1, 16, pairs_of(16) / pairs_of(64) / 0.8);
  const ScalingRow row = row_on(make_results(run), run, 4);
  EXPECT_NEAR(row.efficiency->value, 0.64, 1e-12);
  EXPECT_NEAR(row.factors.shape.value(), 0.8, 1e-12);
  EXPECT_NEAR(row.factors.remainder.value(), 0.8, 1e-12);
}

/// A base under one layout is held against its own rate, whatever the same problem took under another.
TEST(Factors, TheShapePrefersTheSameLayout) {
  RunRecord run = ring_run("zigzag", {{1, 1.0}, {4, 0.25}});
  add_ring_case(run, "striped", 1, 64, 3.0);
  add_ring_case(run, "striped", 1, 16, pairs_of(16) / pairs_of(64) / 0.8);
  EXPECT_NEAR(row_on(make_results(run), run, 4).factors.shape.value(), 0.8, 1e-12)
      << "of a share only another layout is there";
}

TEST(Factors, SkewIsTheMeanOverTheSlowestRank) {
  RunRecord run = ring_run("zigzag", {{1, 1.0}, {4, 0.25}});
  for (VisitRecord& visit : run.visits)  // three ranks take half of what the slowest takes: (1 + 3 / 2) / 4
    for (std::size_t i = 0; visit.ranks == 4 && i < visit.rank_time_s.size(); ++i)
      if (i % 4 != 0) visit.rank_time_s[i] /= 2.0;
  const ScalingRow row = row_on(make_results(run), run, 4);
  EXPECT_NEAR(row.factors.skew.value(), 0.625, 1e-12);
  EXPECT_NEAR(row.factors.remainder.value(), 1.0 / 0.625, 1e-12)
      << "the efficiency is 1: what skew took came from elsewhere";
}

TEST(Factors, SamplesThatDoNotCountDoNotSkew) {
  VisitRecord visit{.ranks = 2, .rank_time_s = {1.0, 1.0, 1.0, 3.0}, .flags = {0, kWarmup}};
  EXPECT_DOUBLE_EQ(rank_balance(visit), 1.0);
  visit.flags.clear();
  EXPECT_DOUBLE_EQ(rank_balance(visit), (1.0 + 4.0 / 6.0) / 2.0);
}

/// A link so slow that each of the three hops takes as long as the whole of the compute.
TEST(Factors, OverlapIsTheModelOfTheMeasuredLink) {
  RunRecord run = ring_run("zigzag", {{1, 1.0}, {4, 0.25}});
  run.limits[{4, 1}].link_latency_s = 0.25;
  run.limits[{4, 1}].link_bytes_per_s = 1e30;
  const ScalingRow row = row_on(make_results(run), run, 4);
  // The last of four steps: 16 x 16 / 2 of 64 x 65 / 2 / 4 pairs.
  const double last_s = 0.25 * (16.0 * 16.0 / 2.0) / (pairs_of(64) / 4.0);
  EXPECT_NEAR(row.factors.overlap.value(), 0.25 / (3.0 * 0.25 + last_s), 1e-12);
  EXPECT_DOUBLE_EQ(row.factors.ideal.value(), row.factors.overlap.value());
  EXPECT_GT(row.factors.knee_ranks.value(), 1e6);
}

TEST(Factors, TheWireHasItsClosedFormBeside) {
  const RunRecord run = ring_run("zigzag", {{1, 1.0}, {4, 0.25}});
  EXPECT_DOUBLE_EQ(row_on(make_results(run), run, 4).factors.wire_bytes.value(),
                   3.0 * 2.0 * 16.0 * 2.0 * 8.0 * 4.0);  // 2 heads of 8, fp32
}

TEST(Factors, OfABaseOfTwoRanksAreRatios) {
  RunRecord run = ring_run("contiguous", {{2, 1.0}, {4, 0.5}});
  const ScalingRow row = row_on(make_results(run), run, 4);
  EXPECT_NEAR(row.factors.layout.value(), (65.0 / 113.0) / (65.0 / 97.0), 1e-12);
}

/// A state-first scan at its ideal: c = 2, and a carry that takes a tenth of a rank's time.
TEST(Factors, AScanHasItsExtraWorkBesideItsEfficiency) {
  const double compute_s = 2.0 * 1.0 / 4.0;
  RunRecord run = scan_run({{1, 1.0}, {4, compute_s * 1.1}});
  run.limits[{4, 1}].link_latency_s =
      compute_s * 0.1 / 5.0;  // 3 messages of the exclusive scan, 2 for the last state
  run.limits[{4, 1}].link_bytes_per_s = 1e30;
  const ScalingRow row = row_on(make_results(run), run, 4);
  EXPECT_DOUBLE_EQ(row.factors.extra_work.value(), 2.0);
  EXPECT_NEAR(row.factors.ideal.value(), 1.0 / (4.0 * (2.0 * 1.0 / 4.0 + compute_s * 0.1)), 1e-9)
      << "T_1 / (p (c T_1 / p + T_comm))";
  EXPECT_NEAR(row.efficiency->value, row.factors.ideal.value(), 1e-9);
  EXPECT_NEAR(row.factors.remainder.value(), 1.0, 1e-9);
}

/// Its two passes over a share are those of one rank: c = 1, so four ranks can be four times as fast.
TEST(Factors, TheSelectiveScansBackwardPassDoesNothingTwiceThatOneRankDoesOnce) {
  const RunRecord run = scan_back_run({{1, 1.0}, {4, 0.25}});
  const ScalingRow row = row_on(make_results(run), run, 4);
  EXPECT_DOUBLE_EQ(row.factors.extra_work.value(), 1.0);
  EXPECT_DOUBLE_EQ(row.factors.layout.value(), 1.0);
  EXPECT_DOUBLE_EQ(row.factors.ideal.value(), 1.0);
  EXPECT_NEAR(row.factors.remainder.value(), 1.0, 1e-12);
}

/// A byte a second: 3 carries of 64 B (4 channels, 2 x 2 states) each way; the sums, 4 x (2 + 2) fp32, come
/// together in 2 rounds and go out in 2 with a carry.
TEST(Factors, TheSelectiveScansBackwardPassWaitsForCarriesBothWaysAndForTheSums) {
  RunRecord run = scan_back_run({{1, 1.0}, {4, 0.25}});
  run.limits[{4, 1}].link_latency_s = 0.0;
  run.limits[{4, 1}].link_bytes_per_s = 1.0;
  const double wire_s = 2.0 * 3.0 * 64.0 + 2.0 * 64.0 + 2.0 * (64.0 + 64.0);
  EXPECT_NEAR(row_on(make_results(run), run, 4).factors.overlap.value(), 0.25 / (0.25 + wire_s), 1e-12);
  run.limits[{4, 1}].link_latency_s = 1.0;
  EXPECT_NEAR(row_on(make_results(run), run, 4).factors.overlap.value(), 0.25 / (0.25 + wire_s + 10.0), 1e-12)
      << "3 + 3 messages of carries, 2 + 2 of sums";
  for (scaling::Case& c : run.cases) c.params.erase("state");
  EXPECT_FALSE(row_on(make_results(run), run, 4).factors.overlap) << "how its bytes are split is not known";
}

TEST(Factors, ExtraWorkThatIsNotKnownIsAbsentAndNotOne) {
  RunRecord run = scan_run({{1, 1.0}, {4, 0.5}});
  for (scaling::Case& c : run.cases) c.op = "somebodys_scan";
  const ScalingRow row = row_on(make_results(run), run, 4);
  EXPECT_FALSE(row.factors.extra_work || row.factors.ideal || row.factors.overlap);
  EXPECT_DOUBLE_EQ(row.factors.layout.value(), 1.0);
  EXPECT_NEAR(row.factors.remainder.value(), 0.5, 1e-12);
}

TEST(Factors, ReplicasLoseNothingButWhatTheyShare) {
  const RunRecord run = replica_run({{1, 1.0}, {4, 1.25}});
  const ScalingRow row = row_on(make_results(run), run, 4, "throughput");
  EXPECT_NEAR(row.efficiency->value, 0.8, 1e-12) << "throughput 4 / 1.25 over 4 x 1";
  EXPECT_DOUBLE_EQ(row.factors.ideal.value(), 1.0);
  EXPECT_DOUBLE_EQ(row.factors.shape.value(), 1.0) << "each copy is the one-rank case itself";
  EXPECT_NEAR(row.factors.remainder.value(), 0.8, 1e-12);
}

TEST(Factors, OfAnUnknownKernelStayBlank) {
  RunRecord run = ring_run("zigzag", {{1, 1.0}, {4, 0.25}});
  for (scaling::Case& c : run.cases) c.kernel = "attention/somebodys_own_cpu";
  const ScalingRow row = row_on(make_results(run), run, 4);
  EXPECT_FALSE(row.factors.layout || row.factors.ideal || row.factors.remainder || row.factors.wire_bytes);
  EXPECT_TRUE(row.efficiency);
}

TEST(Factors, SurviveParametersThatMakeNoSense) {
  for (const std::int64_t nonsense : {std::int64_t{0}, std::int64_t{-5}, INT64_MAX}) {
    for (const char* name : {"seq", "heads", "head_dim", "batch", "replicas"}) {
      RunRecord run = ring_run("contiguous", {{1, 1.0}, {4, 0.25}});
      for (scaling::Case& c : run.cases) c.params[name] = nonsense;
      EXPECT_NO_THROW(make_results(run)) << name << " = " << nonsense;
    }
  }
  RunRecord run = ring_run("contiguous", {{1, 1.0}, {4, 0.25}});
  for (scaling::Case& c : run.cases) c.params["layout"] = std::int64_t{3}, c.params["dtype"] = true;
  EXPECT_NO_THROW(make_results(run));
}

}  // namespace
}  // namespace bench::analysis
