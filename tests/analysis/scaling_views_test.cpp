// SPDX-License-Identifier: Apache-2.0
// Scaling studies as rows and tables: which base, what is said of a point that failed, and one case in two
// tables.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "analysis/columns.hpp"
#include "analysis/results.hpp"
#include "analysis/scaling_section.hpp"
#include "analysis/store.hpp"
#include "tests/analysis/scaling_run.hpp"

namespace bench::analysis {
namespace {

/// 1, 2 and 4 ranks at efficiencies 1, 0.8 and 0.5.
const RankTimes kTimes{{1, 1.0}, {2, 0.625}, {4, 0.5}};

RunRecord with_base(std::int64_t base, const RankTimes& times = kTimes) {
  RunRecord run = ring_run("zigzag", times);
  for (scaling::Case& c : run.cases) c.scaling.front().base = base;
  return run;
}

void fail(RunRecord& run, std::size_t index, Outcome outcome) {
  run.visits[index].outcome = outcome;
  run.visits[index].reason = "the reason";
  run.visits[index].rank_time_s.clear();
}

std::vector<double> efficiencies(const Results& results) {
  std::vector<double> values;
  for (const ScalingRow& row : results.scaling)
    values.push_back(row.efficiency ? row.efficiency->value : std::nan(""));
  return values;
}

std::string text_of(const RunRecord& run) {
  return tables_text(scaling_sections(run, make_results(run)));
}

TEST(ScalingViews, TakeTheBaseThatWasWishedFor) {
  const RunRecord run = with_base(2);
  const Results results = make_results(run);
  EXPECT_EQ(efficiencies(results), (std::vector<double>{1.25, 1.0, 0.625}));
  for (const ScalingRow& row : results.scaling) EXPECT_EQ(row.base_ranks, 2);
  EXPECT_FALSE(results.scaling[0].karp_flatt) << "below the base there is nothing to be serial";
  EXPECT_NE(text_of(run).find("strong, base 2 ranks\n"), std::string::npos) << text_of(run);
}

TEST(ScalingViews, FallBackToTheSmallestThatRanAndSayWhy) {
  RunRecord run = with_base(1);
  fail(run, 0, Outcome::oom);
  const Results results = make_results(run);
  ASSERT_EQ(results.scaling.size(), 3U) << "a failed point stays in the table";
  EXPECT_FALSE(results.scaling[0].efficiency);
  EXPECT_EQ(results.scaling[0].note, "oom: the reason");
  EXPECT_EQ(results.scaling[1].base_ranks, 2);
  EXPECT_DOUBLE_EQ(results.scaling[2].efficiency->value, 0.625);
  EXPECT_NE(text_of(run).find("base 2 ranks (1 wished for: oom)"), std::string::npos) << text_of(run);
  const RunRecord absent = with_base(8);
  EXPECT_NE(text_of(absent).find("base 1 rank (8 wished for: not in the study)"), std::string::npos)
      << text_of(absent);
}

TEST(ScalingViews, OfWhichNothingRanSaySo) {
  RunRecord run = with_base(0, {{1, 1.0}, {2, 1.0}});
  fail(run, 0, Outcome::timeout);
  fail(run, 1, Outcome::crashed);
  EXPECT_NE(text_of(run).find("no base: no point ran"), std::string::npos) << text_of(run);
  EXPECT_NE(text_of(run).find("timeout: the reason"), std::string::npos);
}

TEST(ScalingViews, StoreAFailedPointAsNanWithItsOutcome) {
  RunRecord run = with_base(0);
  fail(run, 2, Outcome::comm_error);
  const auto columns = scaling_columns(run, make_results(run));
  const auto column = [&](const std::string& name) {
    return std::ranges::find(columns, name, &Column::name)->values;
  };
  EXPECT_TRUE(std::isnan(std::get<std::vector<double>>(column("efficiency"))[2]));
  EXPECT_TRUE(std::isnan(std::get<std::vector<double>>(column("layout"))[2]));
  const Flags status = std::get<Flags>(column("status"));
  EXPECT_EQ(status.meanings.at(status.values[2]), "comm_error");
}

/// One measurement, two studies: a row in each table, with the same time.
TEST(ScalingViews, ShowACaseOfTwoStudiesInBothTables) {
  RunRecord run = ring_run("zigzag", {{1, 1.0}, {2, 0.5}});
  run.cases[0].scaling.push_back({"s/weak", "weak", "tokens", "curve"});
  add_ring_case(run, "zigzag", 2, 128, 2.5, {{"s/weak", "weak", "tokens", "curve"}});
  const Results results = make_results(run);
  ASSERT_EQ(run.visits.size(), 3U);
  EXPECT_EQ(std::ranges::count(results.scaling, 0U, &ScalingRow::case_index), 2);
  const auto sections = scaling_sections(run, results);
  ASSERT_GE(sections.size(), 2U);
  EXPECT_NE(sections[0].title.find("strong, base 1 rank"), std::string::npos);
  EXPECT_NE(sections[1].title.find("weak:tokens, base 1 rank"), std::string::npos);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(sections[static_cast<std::size_t>(i)].table.rows.size(), 2U);
}

/// With L tokens a rank the time of causal attention grows as (P L + 1) / (L + 1), and then a rank has kept
/// all of its rate.
TEST(ScalingViews, FixedTokensPerRankHaveTheirIdealTimeBeside) {
  const double ideal = (4.0 * 16.0 + 1.0) / (16.0 + 1.0);
  RunRecord run;
  for (const auto& [ranks, time_s] : RankTimes{{1, 1.0}, {4, ideal}})
    add_ring_case(run, "zigzag", ranks, 16 * ranks, time_s, {{"s/weak", "weak", "tokens", "curve"}});
  const Results results = make_results(run);
  EXPECT_NEAR(results.scaling[1].time_ratio_ideal.value(), ideal, 1e-12);
  EXPECT_NEAR(results.scaling[1].time_ratio->value, ideal, 1e-12);
  EXPECT_NEAR(results.scaling[1].efficiency->value, 1.0, 1e-12);
  EXPECT_NEAR(results.scaling[1].rate_per_rank, results.scaling[0].rate_per_rank, 1e-6);
  EXPECT_NEAR(results.scaling[1].tokens_per_s_per_rank.value(), 16.0 / ideal, 1e-12);
  EXPECT_NEAR(results.scaling[1].factors.shape.value(), 1.0, 1e-12) << "a rank's share is the base itself";
}

TEST(ScalingViews, CallSuperlinearOnlyWhatSurelyIs) {
  RunRecord run = ring_run("zigzag", {{1, 1.0}, {2, 0.4}});
  const Results results = make_results(run);
  EXPECT_TRUE(results.scaling[1].superlinear) << "samples without noise: the interval is a point above 1";
  EXPECT_NE(results.scaling[1].note.find("superlinear"), std::string::npos);
  EXPECT_FALSE(make_results(with_base(4)).scaling[0].superlinear)
      << "fewer ranks than the base are no speed-up";
}

TEST(ScalingViews, ColumnsThatSayNothingAreLeftOut) {
  const std::string text = text_of(with_base(0));
  EXPECT_EQ(text.find("overlap (model)  "), std::string::npos) << "no link was measured:\n" << text;
  EXPECT_EQ(text.find("T_p / T_b"), std::string::npos) << "of weak studies only";
  EXPECT_EQ(text.find("  seq  "), std::string::npos) << "it does not vary";
  EXPECT_NE(text.find("what scaling loses"), std::string::npos);
}

TEST(ScalingViews, ComeBackFromTheFile) {
  const auto path = std::filesystem::temp_directory_path() / concat("scaling_views_", ::getpid(), ".h5");
  RunRecord run = replica_run({{1, 1.0}, {4, 1.25}});
  for (scaling::Case& c : run.cases) c.scaling.front().base = 4, c.threads = 1;
  run.run_id = "r", run.created_utc = "2026-01-01T00:00:00Z", run.provenance_json = "{}";
  run.limits[{4, 1}].link_latency_s = 1e-6, run.limits[{4, 1}].link_bytes_per_s = 1e9;
  write_store(run, path);
  const RunRecord back = read_store(path);
  std::filesystem::remove(path);
  EXPECT_EQ(back.cases[1].ranks, 4) << "replicas count as ranks";
  EXPECT_EQ(back.cases[1].scaling, run.cases[1].scaling);
  EXPECT_EQ(back.limits.at({4, 1}).link_bytes_per_s, 1e9);
  EXPECT_EQ(efficiencies(make_results(back)), efficiencies(make_results(run)));
}

}  // namespace
}  // namespace bench::analysis
