// SPDX-License-Identifier: Apache-2.0
// One row a visit, one row a sample: what is not known is NaN, never 0, and nothing that happened is left
// out.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "analysis/columns.hpp"
#include "analysis/sample_times.hpp"
#include "analysis/statistics/quantiles.hpp"
#include "tests/analysis/synthetic_run.hpp"

namespace bench::analysis {
namespace {

// Of synthetic_run(): six visits; row 3 is the wrong result, row 4 the two ranks with telemetry.
constexpr std::size_t kRows = 6, kBroken = 3, kPair = 4;

bool has(const std::vector<Column>& columns, const std::string& name) {
  return std::ranges::find(columns, name, &Column::name) != columns.end();
}
const Column& column(const std::vector<Column>& columns, const std::string& name) {
  const auto it = std::ranges::find(columns, name, &Column::name);
  if (it == columns.end()) throw Error(ErrorKind::internal, concat("no column ", name));
  return *it;
}
template <class T>
const std::vector<T>& values(const std::vector<Column>& columns, const std::string& name) {
  return std::get<std::vector<T>>(column(columns, name).values);
}
const auto& numbers(const std::vector<Column>& c, const std::string& name) {
  return values<double>(c, name);
}
const auto& integers(const std::vector<Column>& c, const std::string& name) {
  return values<std::int64_t>(c, name);
}

std::size_t size_of(const Column& one) {
  return std::visit(
      [](const auto& list) {
        if constexpr (requires { list.meanings; })
          return list.values.size();
        else
          return list.size();
      },
      one.values);
}

TEST(VisitColumns, HaveARowForEveryVisitFailedOnesToo) {
  const RunRecord run = synthetic_run();
  const std::vector<Column> columns = visit_columns(run);
  for (const Column& one : columns) EXPECT_EQ(size_of(one), kRows) << one.name;
  EXPECT_EQ(integers(columns, "row"), (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(integers(columns, "case_index"), (std::vector<std::int64_t>{0, 1, 2, 3, 5, 6}))
      << "case 4 was skipped";
  const auto& status = std::get<Flags>(column(columns, "status").values);
  EXPECT_EQ(status.meanings.at(status.values[kBroken]), "wrong_result");
  EXPECT_EQ(status.meanings.at(status.values[kPair]), "ok");
  EXPECT_EQ(values<std::string>(columns, "reason")[kBroken], "o is off by 0.5 (allowed 1e-05)");
  EXPECT_EQ(values<std::string>(columns, "reason")[0], "");
  for (std::size_t i = 0; i < columns.size(); ++i)
    for (std::size_t j = i + 1; j < columns.size(); ++j) EXPECT_NE(columns[i].name, columns[j].name);
}

TEST(VisitColumns, OfAFailedVisitAreNaNWhereTheOthersHaveFigures) {
  const std::vector<Column> columns = visit_columns(synthetic_run());
  for (const char* name :
       {"min", "max",         "mean",    "sd",    "cv",        "median",    "madn",    "q05",     "q25",
        "q75", "q90",         "q95",     "q99",   "median_lo", "median_hi", "mean_lo", "mean_hi", "lag1",
        "tau", "ljung_box_p", "trend_p", "slope", "runs_p",    "change_p",  "normal_p"}) {
    EXPECT_TRUE(std::isnan(numbers(columns, name)[kBroken])) << name;
    EXPECT_TRUE(std::isfinite(numbers(columns, name)[0])) << name;
  }
  EXPECT_EQ(integers(columns, "n")[kBroken], 0);
  EXPECT_EQ(integers(columns, "n_valid")[kBroken], 0);
  EXPECT_EQ(integers(columns, "mean_interval_valid")[kBroken], 0);
}

TEST(VisitColumns, HaveTheFiguresOfThePencilRun) {
  const std::vector<Column> columns = visit_columns(synthetic_run());
  EXPECT_NEAR(numbers(columns, "median")[0], 1.005e-3, 1e-15);
  EXPECT_NEAR(numbers(columns, "median_lo")[0], 0.97e-3, 1e-15) << "the second of ten";
  EXPECT_NEAR(numbers(columns, "median_hi")[0], 1.04e-3, 1e-15) << "the ninth";
  EXPECT_NEAR(numbers(columns, "median")[1], 0.5 * 1.005e-3, 1e-15);
  EXPECT_NEAR(numbers(columns, "min")[0], 0.96e-3, 1e-15);
  EXPECT_NEAR(numbers(columns, "max")[0], 1.05e-3, 1e-15);
  EXPECT_EQ(integers(columns, "n")[0], 10);
  EXPECT_EQ(column(columns, "median").unit, "s");
}

TEST(VisitColumns, CountFlaggedSamplesApart) {
  RunRecord run = synthetic_run();
  run.visits[0].flags.assign(kTenSamples.size(), 0);
  run.visits[0].flags[0] = kWarmup;   // 1.02 ms
  run.visits[0].flags[3] = kLate;     // 1.05 ms, the largest
  run.visits[0].flags[4] = kOverrun;  // 0.96 ms, the smallest: long is no reason to leave it out
  const std::vector<Column> columns = visit_columns(run);
  EXPECT_EQ(integers(columns, "n")[0], 10);
  EXPECT_EQ(integers(columns, "n_valid")[0], 8);
  EXPECT_NEAR(numbers(columns, "max")[0], 1.04e-3, 1e-15);
  EXPECT_NEAR(numbers(columns, "min")[0], 0.96e-3, 1e-15);
}

TEST(VisitColumns, HaveTelemetryOnlyForFiguresThatExist) {
  const std::vector<Column> columns = visit_columns(synthetic_run());
  const auto& before = numbers(columns, "cpu_mhz_before");
  const auto& after = numbers(columns, "cpu_mhz_after");
  EXPECT_EQ(column(columns, "cpu_mhz_before").unit, "MHz");
  EXPECT_EQ(column(columns, "steal_fraction_before").unit, "1");
  for (std::size_t i = 0; i < kRows; ++i) {
    if (i == kPair) continue;
    EXPECT_TRUE(std::isnan(before[i])) << "a clock that was not read is not 0 MHz, row " << i;
    EXPECT_TRUE(std::isnan(after[i]));
  }
  EXPECT_EQ(before[kPair], 2000.0);
  EXPECT_EQ(after[kPair], 1900.0);
  EXPECT_EQ(numbers(columns, "steal_fraction_before")[kPair], 0.01);
  EXPECT_TRUE(std::isnan(numbers(columns, "steal_fraction_after")[kPair])) << "read at one end only";
  EXPECT_FALSE(has(columns, "gpu_sm_mhz_before")) << "no visit has it";
}

TEST(VisitColumns, HaveNoTelemetryWhereNothingWasRead) {
  RunRecord run = synthetic_run();
  run.visits[kPair].before.clear();
  run.visits[kPair].after.clear();
  for (const Column& one : visit_columns(run))
    EXPECT_FALSE(one.name.ends_with("_before") || one.name.ends_with("_after")) << one.name;
}

TEST(VisitColumns, KeepAFigureThatIsZero) {
  RunRecord run = synthetic_run();
  run.visits[0].before = {{"gpu_utilisation", 0.0}};  // measured, and idle
  EXPECT_EQ(numbers(visit_columns(run), "gpu_utilisation_before")[0], 0.0);
}

TEST(VisitColumns, HaveWhenEachVisitBegan) {
  RunRecord run = synthetic_run();
  for (std::size_t i = 0; i < kRows; ++i) run.visits[i].start_s = 0.5 * static_cast<double>(i);
  const std::vector<Column> columns = visit_columns(run);
  EXPECT_EQ(column(columns, "start").unit, "s");
  EXPECT_EQ(numbers(columns, "start"), (std::vector<double>{0.0, 0.5, 1.0, 1.5, 2.0, 2.5}));
}

TEST(VisitColumns, LeaveOutVisitsOfCasesThatTheRunDoesNotHave) {
  RunRecord run = synthetic_run();
  run.visits[0].case_id = "of another plan";
  const std::vector<Column> columns = visit_columns(run);
  EXPECT_EQ(integers(columns, "row"), (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(integers(columns, "case_index").at(0), 1);
  run.visits.clear();
  for (const Column& one : visit_columns(run)) EXPECT_EQ(size_of(one), 0U) << one.name;
}

TEST(SampleColumns, HaveTheFlagsOfEverySample) {
  RunRecord run = synthetic_run();
  run.visits[1].flags.assign(kTenSamples.size(), 0);
  run.visits[1].flags[2] = kLate | kWarmup;
  const std::vector<Column> columns = sample_columns(run, make_results(run));
  const auto& flags = integers(columns, "flags");
  ASSERT_EQ(flags.size(), 50U) << "five visits of ten; the failed one has none";
  for (std::size_t i = 0; i < flags.size(); ++i) EXPECT_EQ(flags[i], i == 12 ? 65 : 0) << "sample " << i;
  // The meaning that readers see lists every bit by the name it has in sample_flag_names().
  std::int64_t bit = 1;
  for (const std::string& name : sample_flag_names()) {
    const std::string meaning = std::to_string(bit) + ' ' + name;
    EXPECT_NE(column(columns, "flags").long_name.find(meaning), std::string::npos) << meaning;
    bit *= 2;
  }
}

TEST(SampleColumns, AreEnoughToFindTheTimeOfEveryCaseAgain) {
  RunRecord run = synthetic_run();
  VisitRecord& pair = run.visits[kPair];
  for (std::size_t i = 0; i < kTenSamples.size(); ++i) pair.rank_start_s[2 * i + 1] = 0.5 * pair.rank_time_s[2 * i];  // on the common clock, where a late start counts
  pair.flags[7] = kThrottled;
  ASSERT_TRUE(uses_common_clock(pair));
  const Results results = make_results(run);
  const std::vector<Column> columns = sample_columns(run, results);
  const auto &time = numbers(columns, "time"), &most = numbers(columns, "t_max");
  const auto &of_case = integers(columns, "case_index"), &counts = integers(columns, "counts");
  for (const CaseResult& result : results.cases) {
    std::vector<double> counted, slowest;
    for (std::size_t i = 0; i < time.size(); ++i) {
      if (of_case[i] != static_cast<std::int64_t>(result.case_index) || counts[i] == 0) continue;
      counted.push_back(time[i]);
      slowest.push_back(most[i]);
    }
    ASSERT_EQ(counted.size(), static_cast<std::size_t>(result.n)) << "case " << result.case_index;
    if (counted.empty()) continue;
    EXPECT_DOUBLE_EQ(median(sorted(counted)), result.time_s.value) << "case " << result.case_index;
    if (result.visits.front() == kPair) {
      EXPECT_LT(median(sorted(slowest)), result.time_s.value) << "the slowest rank's own time leaves out that it began late";
    }
  }
}

TEST(RankSampleColumns, HaveTheStartOfEveryRankAndNaNForOneAlone) {
  const std::vector<Column> columns = rank_sample_columns(synthetic_run());
  const auto& start = numbers(columns, "start");
  const auto& rank = integers(columns, "rank");
  const auto& of_case = integers(columns, "case_index");
  ASSERT_EQ(start.size(), 60U) << "four visits of one rank, one of two, ten samples each";
  for (std::size_t i = 0; i < start.size(); ++i) {
    if (of_case[i] != 5)
      EXPECT_TRUE(std::isnan(start[i])) << "one rank has nobody to start after";
    else
      EXPECT_EQ(start[i], rank[i] == 0 ? 0.0 : 1e-6);
  }
}

}  // namespace
}  // namespace bench::analysis
