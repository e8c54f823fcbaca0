// SPDX-License-Identifier: Apache-2.0
// Merging by hand: a run is cut into pieces and put together again, and nothing may be lost, doubled or averaged in silence.
#include "analysis/merge_runs.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "analysis/record_json.hpp"
#include "analysis/results.hpp"
#include "analysis/source_runs.hpp"
#include "analysis/store.hpp"
#include "tests/analysis/synthetic_run.hpp"

namespace bench::analysis {
namespace {

RunRecord named(RunRecord run, char letter, const std::string& minute) {
  run.run_id = std::string(32, letter);
  run.created_utc = "2026-01-02T03:" + minute + ":05Z";
  return run;
}

/// The pencil run with only the visits of which `keep` says so.
template <class Keep>
RunRecord part(char letter, const std::string& minute, Keep&& keep) {
  RunRecord run = named(synthetic_run(), letter, minute);
  run.telemetry.clear();
  std::erase_if(run.visits, [&](const VisitRecord& visit) { return !keep(visit); });
  return run;
}
RunRecord attention_part() { return part('a', "04", [](const VisitRecord& v) { return v.case_id.starts_with("attention"); }); }
RunRecord recurrence_part() { return part('b', "05", [](const VisitRecord& v) { return v.case_id.starts_with("recurrence"); }); }

/// One more visit to naive attention, `scale` times as long as the first.
RunRecord another_visit(char letter, const std::string& minute, double scale) {
  RunRecord run = part(letter, minute, [](const VisitRecord&) { return false; });
  run.visits.push_back(synthetic_visit(run.cases[0], scale));
  return run;
}

std::vector<std::string> sorted_visits(const RunRecord& run) {
  std::vector<std::string> texts;
  for (const VisitRecord& visit : run.visits) texts.push_back(to_json(visit).dump());
  std::ranges::sort(texts);
  return texts;
}

std::vector<std::pair<std::string, std::int64_t>> visits_of(const RunRecord& run, const std::string& id) {
  std::vector<std::pair<std::string, std::int64_t>> found;
  for (const VisitRecord& visit : run.visits)
    if (visit.case_id == id) found.emplace_back(visit.run.substr(0, 1), visit.visit);
  std::ranges::sort(found);
  return found;
}

void expect_same_figures(const RunRecord& a, const RunRecord& b) {
  const Results x = make_results(a), y = make_results(b);
  ASSERT_EQ(x.cases.size(), y.cases.size());
  for (std::size_t i = 0; i < x.cases.size(); ++i) {
    EXPECT_EQ(a.cases[i].id, b.cases[i].id);
    EXPECT_EQ(x.cases[i].outcome, y.cases[i].outcome) << a.cases[i].id;
    EXPECT_EQ(x.cases[i].time_s.value, y.cases[i].time_s.value) << a.cases[i].id;
    EXPECT_EQ(x.cases[i].speedup.has_value(), y.cases[i].speedup.has_value()) << a.cases[i].id;
    EXPECT_EQ(x.cases[i].limit_fraction, y.cases[i].limit_fraction) << a.cases[i].id;
  }
  ASSERT_EQ(x.scaling.size(), y.scaling.size());
  for (std::size_t i = 0; i < x.scaling.size(); ++i) EXPECT_EQ(x.scaling[i].efficiency->value, y.scaling[i].efficiency->value);
}

TEST(MergeRuns, OfOneRunAreThatRun) {
  const RunRecord run = synthetic_run();
  const RunRecord merged = merge_runs({run});
  ASSERT_EQ(merged.visits.size(), run.visits.size());
  for (std::size_t i = 0; i < run.visits.size(); ++i) {
    EXPECT_EQ(merged.visits[i].case_id, run.visits[i].case_id) << "in the order they were made";
    EXPECT_EQ(merged.visits[i].rank_time_s, run.visits[i].rank_time_s);
    EXPECT_EQ(merged.visits[i].run, run.run_id);
  }
  expect_same_figures(run, merged);
  ASSERT_EQ(merged.telemetry.size(), run.telemetry.size());
  EXPECT_EQ(merged.telemetry[0].values.at("source"), 0.0);
}

TEST(MergeRuns, OfShardsAreTheWholeRun) {
  MergeReport report;
  const RunRecord merged = merge_runs({attention_part(), recurrence_part()}, {}, &report);
  EXPECT_EQ(report.sources, 2U);
  EXPECT_EQ(report.identical_visits, 0U);
  EXPECT_EQ(report.cases_of_several_sources, 0U);
  expect_same_figures(synthetic_run(), merged);
  EXPECT_EQ(merged.plan_sha256, synthetic_run().plan_sha256) << "shards share a plan";
  EXPECT_EQ(source_runs_section(merged).table.rows.size(), 2U);
}

TEST(MergeRuns, DoNotDependOnTheOrderOfTheInputs) {
  const RunRecord a = attention_part(), b = recurrence_part(), c = another_visit('c', "06", 3.0);
  const RunRecord one = merge_runs({a, b, c}), other = merge_runs({c, b, a});
  EXPECT_EQ(one.run_id, other.run_id);
  EXPECT_EQ(one.provenance_json, other.provenance_json);
  EXPECT_EQ(sorted_visits(one), sorted_visits(other));
}

TEST(MergeRuns, KeepAVisitThatComesTwiceOnce) {
  MergeReport report;
  RunRecord copied_early = attention_part();  // a copy of the journal that was made while the run went on
  copied_early.visits.resize(2);
  const RunRecord merged = merge_runs({copied_early, attention_part(), recurrence_part()}, {}, &report);
  EXPECT_EQ(report.identical_visits, 2U);
  EXPECT_EQ(merged.visits.size(), synthetic_run().visits.size());
  RunRecord standing_clock = attention_part();
  standing_clock.visits.push_back(standing_clock.visits[0]);
  standing_clock.visits.back().visit = 1;
  EXPECT_EQ(merge_runs({standing_clock}).visits.size(), standing_clock.visits.size()) << "in one run they are two, however alike";
}

TEST(MergeRuns, KeepDifferentVisitsOfACaseWithTheirSources) {
  MergeReport report;
  const RunRecord merged = merge_runs({attention_part(), another_visit('c', "06", 3.0), another_visit('d', "05", 2.0)}, {}, &report);
  EXPECT_EQ(report.cases_of_several_sources, 1U);
  const std::vector<std::pair<std::string, std::int64_t>> expected{{"a", 0}, {"c", 2}, {"d", 1}};  // numbered on by age
  EXPECT_EQ(visits_of(merged, merged.cases[0].id), expected);
  const CaseResult naive = make_results(merged).cases[0];
  EXPECT_EQ(naive.n_visits, 3);
  EXPECT_NEAR(naive.time_s.value, 1.005e-3 * std::cbrt(6.0), 1e-12) << "over all three, and n_visits says so";
}

TEST(MergeRuns, OfMergesAreTheMergeOfAll) {
  const RunRecord a = attention_part(), b = recurrence_part(), c = another_visit('c', "06", 3.0), d = another_visit('d', "05", 2.0);
  const RunRecord at_once = merge_runs({a, b, c, d});
  const RunRecord in_steps = merge_runs({merge_runs({a, c}), merge_runs({d, b}), c});
  EXPECT_EQ(sorted_visits(at_once), sorted_visits(in_steps)) << "also the numbers, although c was numbered before d was known";
  EXPECT_EQ(at_once.run_id, in_steps.run_id);
  EXPECT_EQ(at_once.provenance_json, in_steps.provenance_json);
}

TEST(MergeRuns, OnSeveralNumbersOfRanksMakeOneEfficiencyTable) {
  RunRecord narrow = part('a', "04", [](const VisitRecord& v) { return v.ranks == 1; });
  RunRecord wide = part('b', "05", [](const VisitRecord& v) { return v.ranks == 2; });
  narrow.cases[5].planned = Outcome::skipped;  // ring on two ranks, where there is one
  narrow.cases[5].reason = "needs 2 ranks";
  std::erase_if(wide.cases, [](const scaling::Case& c) { return c.ranks == 1; });
  wide.plan_sha256 = "beef";
  const RunRecord merged = merge_runs({wide, narrow});
  expect_same_figures(synthetic_run(), merged);
  EXPECT_EQ(merged.cases[5].planned, Outcome::ok);
  EXPECT_TRUE(merged.cases[5].reason.empty());
  EXPECT_EQ(make_results(merged).scaling[1].base_ranks, 1);
  EXPECT_NE(merged.plan_sha256, narrow.plan_sha256) << "two plans are not one of them";
}

TEST(MergeRuns, LetAMeasurementOutweighALossAndAWrongAnswerAMeasurement) {
  const auto lost = [](Outcome outcome, const std::string& minute) {
    RunRecord run = another_visit('c', minute, 1.0);
    run.visits[0].outcome = outcome;
    run.visits[0].reason = "planted";
    run.visits[0].rank_time_s.clear();
    return run;
  };
  for (const char* minute : {"01", "09"}) {  // before and after the good one
    EXPECT_EQ(make_results(merge_runs({attention_part(), lost(Outcome::timeout, minute)})).cases[0].outcome, Outcome::ok) << minute;
    EXPECT_EQ(make_results(merge_runs({attention_part(), lost(Outcome::wrong_result, minute)})).cases[0].outcome, Outcome::wrong_result) << minute;
  }
}

RunRecord elsewhere(RunRecord run) {
  run.provenance_json = R"({"commit":"abc","threads":[1,2],"cpu":{"model":"Another One"},"build":{"commit":"1"}})";
  return run;
}

TEST(MergeRuns, OfDifferentEnvironmentsAreRefused) {
  RunRecord here = attention_part();
  here.provenance_json = R"({"cpu":{"model":"One"},"host":{"name":"h1"},"started_utc":"then","argv":["a"],"slurm":{"SLURM_NTASKS":"2"}})";
  RunRecord same = recurrence_part();
  same.provenance_json = R"({"cpu":{"model":"One","load_average":[9,9,9]},"host":{"name":"h2"},"started_utc":"now","argv":["b"],"slurm":{"SLURM_NTASKS":"4"}})";
  EXPECT_NO_THROW(merge_runs({here, same})) << "host, time, command, load and number of ranks are no environment";
  try {
    merge_runs({here, elsewhere(recurrence_part())});
    FAIL() << "was merged";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("cpu.model: Another One | One"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("--allow-env-change"), std::string::npos);
  }
}

TEST(MergeRuns, OfDifferentEnvironmentsAllowedTakeNoRatioAcrossThem) {
  RunRecord narrow = part('a', "04", [](const VisitRecord& v) { return v.ranks == 1 && v.case_id != "attention-flash-1"; });
  RunRecord rest = elsewhere(part('b', "05", [](const VisitRecord& v) { return v.ranks == 2 || v.case_id == "attention-flash-1"; }));
  const RunRecord merged = merge_runs({narrow, rest}, {.allow_environment_change = true});
  const Results results = make_results(merged);
  EXPECT_TRUE(results.cases[2].speedup) << "ring over naive, both here";
  EXPECT_FALSE(results.cases[1].speedup) << "flash was measured elsewhere";
  ASSERT_EQ(results.scaling.size(), 2U);
  EXPECT_FALSE(results.scaling[1].efficiency);
  EXPECT_NE(results.scaling[1].note.find("environment"), std::string::npos);
  EXPECT_TRUE(merged.limits.empty()) << "a limit of one machine is none of another";
  std::set<std::string> environments;
  for (const std::string& environment : case_environments(merged)) environments.insert(environment);
  EXPECT_EQ(environments.size(), 3U) << "two, and none for what was never visited";
}

TEST(MergeRuns, SurviveTheStore) {
  const auto path = std::filesystem::temp_directory_path() / ("merge_runs_test_" + std::to_string(::getpid()) + ".h5");
  const RunRecord merged = merge_runs({attention_part(), recurrence_part(), another_visit('c', "06", 3.0)});
  write_store(merged, path);
  const RunRecord back = read_store(path);
  std::filesystem::remove(path);
  ASSERT_EQ(back.visits.size(), merged.visits.size());
  for (std::size_t i = 0; i < back.visits.size(); ++i) EXPECT_EQ(back.visits[i].run, merged.visits[i].run);
  EXPECT_EQ(source_runs_of(back).size(), 3U);
  expect_same_figures(merged, back);
}

TEST(MergeRuns, OfNothingAreAnError) { EXPECT_THROW(merge_runs({}), Error); }

}  // namespace
}  // namespace bench::analysis
