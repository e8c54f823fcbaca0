// SPDX-License-Identifier: Apache-2.0
// Records -> figures -> file, on numbers that can be worked by hand. The readers' side of the file is readers_test.py.
#include "analysis/store.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "analysis/record_json.hpp"
#include "analysis/results.hpp"
#include "analysis/table.hpp"

namespace bench::analysis {
namespace {

namespace fs = std::filesystem;

scaling::Case make_case(const std::string& id, const std::string& kernel, std::int64_t ranks, double flops) {
  scaling::Case c;
  c.id = id + std::string(32 - id.size(), '0');
  c.op = "toy";
  c.kernel = kernel;
  c.ranks = ranks;
  c.params = {{"seq", std::int64_t{64}}, {"ranks", ranks}, {"dtype", std::string("fp32")}, {"causal", true}};
  c.cost.flops = flops;
  c.cost.bytes = 80.0;
  c.baseline = "toy/slow";
  c.scaling = {{"s/strong", "strong", "", "series"}};
  return c;
}

/// Ten samples of exactly `time` on every rank, the first rank 10 % faster.
VisitRecord make_visit(const scaling::Case& c, double time) {
  VisitRecord visit{.case_id = c.id, .ranks = c.ranks, .stop_reason = "converged"};
  for (int i = 0; i < 10; ++i)
    for (std::int64_t r = 0; r < c.ranks; ++r) visit.rank_time_s.push_back(r + 1 < c.ranks ? 0.9 * time : time);
  visit.checks = {{"out", 1e-7, 1e-6}};
  return visit;
}

RunRecord make_run() {
  RunRecord run{.run_id = "r", .created_utc = "2026-01-01T00:00:00Z", .study = "s", .plan_sha256 = "p", .provenance_json = R"({"compiler":"g++"})"};
  run.cases = {make_case("a", "toy/slow", 1, 800.0), make_case("b", "toy/fast", 1, 800.0), make_case("c", "toy/fast", 2, 800.0),
               make_case("d", "toy/fast", 4, 800.0)};
  run.cases[3].planned = Outcome::infeasible;
  run.cases[3].reason = "needs 4 ranks, this run has 2";
  run.visits = {make_visit(run.cases[0], 8.0), make_visit(run.cases[1], 4.0), make_visit(run.cases[2], 2.5)};
  for (const std::int64_t width : {1, 2}) {
    run.limits[{width, 1}].fp32_flops_per_s = 400.0 * static_cast<double>(width);
    run.limits[{width, 1}].triad_bytes_per_s.fill(100.0 * static_cast<double>(width));
  }
  run.limits[{2, 3}].read_bytes_per_s.fill(50.0);  // of no case here: it must come back all the same
  run.journal_bytes = "journal";
  return run;
}

TEST(Limits, OfACaseWithThreadsAreThoseOfAsManyThreads) {
  RunRecord run = make_run();
  run.cases[1].threads = 2;
  EXPECT_TRUE(make_results(run).cases[1].limit.empty()) << "one thread's rates say nothing of two";
  run.limits[{1, 2}].fp32_flops_per_s = 800.0;
  EXPECT_DOUBLE_EQ(make_results(run).cases[1].limit_fraction, 0.25) << "800 FLOP at 800/s in 4 s";
}

TEST(Limits, LetReadingAloneGoFasterThanATriad) {
  Limits limits;
  limits.triad_bytes_per_s.fill(100.0);
  limits.read_bytes_per_s.fill(200.0);
  EXPECT_DOUBLE_EQ(least_memory_time_s(limits, 300.0, 100.0, 300.0), 3.0) << "two read for one written: a triad";
  EXPECT_DOUBLE_EQ(least_memory_time_s(limits, 400.0, 0.0, 400.0), 2.0) << "nothing written";
  EXPECT_DOUBLE_EQ(least_memory_time_s(limits, 500.0, 100.0, 500.0), 4.0) << "300 as a triad, 200 read";
  limits.read_bytes_per_s.fill(50.0);
  EXPECT_DOUBLE_EQ(least_memory_time_s(limits, 400.0, 0.0, 400.0), 4.0) << "a core that reads faster in a triad can read so without one, too";
  limits.triad_bytes_per_s[0] = 1000.0;
  EXPECT_DOUBLE_EQ(least_memory_time_s(limits, 300.0, 100.0, 768.0 * (1 << 10)), 0.3) << "a core's 768 KiB live where 256 KiB do";
  limits.triad_bytes_per_s.back() = 10.0;
  EXPECT_DOUBLE_EQ(least_memory_time_s(limits, 300.0, 100.0, HUGE_VAL), 30.0) << "a cold case comes from memory, however small";
}

TEST(Results, AreTheSlowestRanksMedianAndItsShareOfTheLimit) {
  const Results results = make_results(make_run());
  EXPECT_DOUBLE_EQ(results.cases[2].time_s.value, 2.5) << "the slowest rank, not the mean";
  EXPECT_EQ(results.cases[1].limit, "compute") << "800 FLOP at 400/s take longer than 80 bytes at 100/s";
  EXPECT_DOUBLE_EQ(results.cases[1].limit_fraction, 0.5);
  EXPECT_NEAR(results.cases[2].imbalance, 2.5 / 2.375 - 1.0, 1e-12);
}

TEST(Results, GiveSpeedUpOverTheBaselineOnTheSameProblem) {
  const Results results = make_results(make_run());
  ASSERT_TRUE(results.cases[1].speedup);
  EXPECT_DOUBLE_EQ(results.cases[1].speedup->value, 2.0);
  EXPECT_DOUBLE_EQ(results.cases[1].speedup->interval->lo, 2.0) << "constant samples have a point for an interval";
  EXPECT_FALSE(results.cases[2].speedup) << "no baseline ran on two ranks";
}

TEST(Results, GiveEfficiencyOverTheSmallestRankCountThatRan) {
  const RunRecord run = make_run();
  const Results results = make_results(run);
  const auto row = std::ranges::find_if(results.scaling, [](const ScalingRow& r) { return r.case_index == 2; });
  ASSERT_NE(row, results.scaling.end());
  EXPECT_EQ(row->base_ranks, 1);
  EXPECT_DOUBLE_EQ(row->speedup->value, 1.6);
  EXPECT_DOUBLE_EQ(row->efficiency->value, 0.8);
  EXPECT_NEAR(*row->karp_flatt, (1.0 / 1.6 - 0.5) / 0.5, 1e-12);
}

TEST(Results, GiveNoEfficiencyToSharedCoresOrToWhatDidNotRun) {
  RunRecord run = make_run();
  run.visits[2].oversubscribed = true;
  for (const ScalingRow& row : make_results(run).scaling) {
    if (run.cases[row.case_index].ranks < 2) continue;
    EXPECT_FALSE(row.efficiency);
    EXPECT_FALSE(row.note.empty()) << "never without a reason";
  }
}

TEST(Results, BlankTheTimesOfACaseWithAFailedVisit) {
  RunRecord run = make_run();
  run.visits.push_back({.case_id = run.cases[1].id, .visit = 1, .outcome = Outcome::crashed, .reason = "fell over"});
  const Results results = make_results(run);
  EXPECT_EQ(results.cases[1].outcome, Outcome::crashed);
  EXPECT_EQ(results.cases[1].n, 0);
}

TEST(RecordJson, RoundTripsCasesVisitsAndLimits) {
  const RunRecord run = make_run();
  EXPECT_EQ(to_json(case_from_json(to_json(run.cases[3]))), to_json(run.cases[3]));
  EXPECT_EQ(to_json(visit_from_json(to_json(run.visits[2]))), to_json(run.visits[2]));
  EXPECT_EQ(to_json(limits_from_json(to_json(run.limits.at({2, 1})))), to_json(run.limits.at({2, 1})));
}

TEST(RecordJson, KeepsAnInfiniteError) {
  VisitRecord visit{.case_id = "a", .outcome = Outcome::wrong_result};
  visit.checks = {{"out", std::numeric_limits<double>::infinity(), 1e-6}};
  EXPECT_TRUE(std::isinf(visit_from_json(nlohmann::json::parse(to_json(visit).dump())).checks[0].error));
}

std::string bytes_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

TEST(Store, GivesTheSameBytesForTheSameRecords) {
  const fs::path folder = fs::temp_directory_path() / ("store_test_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  write_store(make_run(), folder / "a.h5");
  write_store(make_run(), folder / "b.h5");
  EXPECT_TRUE(bytes_of(folder / "a.h5") == bytes_of(folder / "b.h5"));
  EXPECT_GT(bytes_of(folder / "a.h5").size(), 1000U);
  EXPECT_FALSE(fs::exists(folder / "a.h5.tmp"));
  fs::remove_all(folder);
}

TEST(Store, WritesARunWithoutASingleVisit) {
  const fs::path file = fs::temp_directory_path() / ("store_empty_" + std::to_string(::getpid()) + ".h5");
  RunRecord run = make_run();
  run.visits.clear();
  run.limits.clear();
  EXPECT_NO_THROW(write_store(run, file));
  fs::remove(file);
}

TEST(Store, CannotWriteWhereThereIsNoFolder) { EXPECT_THROW(write_store(make_run(), "/nonexistent/folder/results.h5"), Error); }

TEST(Tables, ShowWhatVariesTheIntervalAndTheReason) {
  const RunRecord run = make_run();
  const std::string text = tables_text(all_sections(run, make_results(run)));
  EXPECT_NE(text.find("4 s [4, 4]"), std::string::npos) << text;
  EXPECT_NE(text.find("50.0 % compute"), std::string::npos) << text;
  EXPECT_NE(text.find("needs 4 ranks, this run has 2"), std::string::npos) << text;
  EXPECT_NE(text.find("causal=true"), std::string::npos) << "what does not vary is said once, above the table";
  EXPECT_EQ(text.find("causal  "), std::string::npos) << "and is no column";
}

TEST(Tables, EscapeWhatMarkdownWouldTakeForAColumn) {
  EXPECT_NE((TextTable{{{"a"}}, {{"x|y"}}}).markdown().find("x\\|y"), std::string::npos);
}

}  // namespace
}  // namespace bench::analysis
