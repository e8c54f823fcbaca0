// SPDX-License-Identifier: Apache-2.0
// From records to rows of /fits, their columns and what is printed of them.
#include "analysis/fits/fit_rows.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include "analysis/columns.hpp"
#include "analysis/fits/fits_section.hpp"
#include "analysis/h5.hpp"
#include "analysis/store.hpp"
#include "src/core/rng.hpp"
#include "tests/analysis/synthetic_run.hpp"

namespace bench::analysis {
namespace {

namespace fs = std::filesystem;

/// Adds a curve of 3 visits a point, 2 % apart, at 1, 2, 4, ... ranks.
void add_curve(RunRecord& run, const scaling::ScalingTag& tag, std::size_t n,
               const std::function<double(double)>& time_s, const std::function<double(double)>& work) {
  for (std::size_t i = 0; i < n; ++i) {
    const std::int64_t ranks = std::int64_t{1} << i;
    const auto p = static_cast<double>(ranks);
    scaling::Case c = synthetic_case("attention", "ring-" + tag.series, ranks);
    c.scaling = {tag};
    c.cost.flops = work(p);
    run.cases.push_back(c);
    for (std::int64_t visit = 0; visit < 3; ++visit) {
      VisitRecord record = synthetic_visit(c, 1.0);
      const double scale = time_s(p) * (0.98 + 0.02 * static_cast<double>(visit)) / kTenSamples.front();
      for (double& time : record.rank_time_s) time *= scale;
      record.visit = visit;
      run.visits.push_back(record);
    }
  }
}

double same(double) {
  return 1e9;
}
double amdahl(double p) {
  return 5.0 + 95.0 / p;
}

RunRecord scaling_run() {
  RunRecord run = synthetic_run();
  add_curve(run, {"s/strong", "strong", "", "long"}, 7, amdahl, same);
  return run;
}

const FitRow& row_of(const std::vector<FitRow>& rows, const std::string& series) {
  const auto it = std::ranges::find_if(rows, [&](const FitRow& r) { return r.tag.series == series; });
  if (it == rows.end()) throw Error(ErrorKind::internal, "no fit of " + series);
  return *it;
}

std::vector<FitRow> fits_of(const RunRecord& run) {
  return make_fits(run, make_results(run));
}

TEST(FitRows, AreOnePerCurveFittedOrNot) {
  const std::vector<FitRow> rows = fits_of(scaling_run());
  ASSERT_EQ(rows.size(), 2U);
  const FitRow& shorter = row_of(rows, "curve");
  EXPECT_EQ(shorter.model, "");
  EXPECT_EQ(shorter.note, "not fitted, n=2");
  const FitRow& longer = row_of(rows, "long");
  EXPECT_EQ(longer.model, "amdahl");
  EXPECT_EQ(longer.n_points, 7);
  EXPECT_NEAR(longer.serial_fraction.value(), 0.05, 1e-9) << "visits differ by the same factors everywhere";
  EXPECT_FALSE(longer.peak_ranks);
  EXPECT_EQ(longer.curve.predictions[0].ranks, 128.0);
  EXPECT_TRUE(longer.curve.predictions[0].time_s.interval);
  ASSERT_TRUE(longer.curve.hold_out);
  EXPECT_EQ(longer.curve.hold_out->inside, true);
  ASSERT_TRUE(longer.usl);
  EXPECT_NEAR(longer.usl->s, 0.05, 1e-6) << "Amdahl's law is the universal one with k = 0";
}

TEST(FitRows, SayWhichPointsTheyLack) {
  RunRecord run = scaling_run();
  run.cases.back().planned = Outcome::infeasible;
  std::erase_if(run.visits, [&](const VisitRecord& v) { return v.case_id == run.cases.back().id; });
  for (VisitRecord& v : run.visits)
    if (v.case_id == run.cases[run.cases.size() - 2].id) v.oversubscribed = true;
  const FitRow row = row_of(fits_of(run), "long");
  EXPECT_EQ(row.n_points, 5);
  EXPECT_EQ(row.model, "amdahl");
  EXPECT_EQ(row.note, "without p=32 (shared cores), p=64 (infeasible)");
  EXPECT_FALSE(row.usl) << "five points are too few for three coefficients";
}

TEST(FitRows, OfAWeakStudyAreOfTimeAtTheSameWorkPerRank) {
  // The sequence grows with the ranks, so work grows with p^2 and each rank's share with p: times of p (3 +
  // 0.2 log2 p) are, at the base's share, 3 + 0.2 log2 p.
  RunRecord run;
  add_curve(
      run, {"s/weak", "weak", "tokens", "weak"}, 7, [](double p) { return p * (3.0 + 0.2 * std::log2(p)); },
      [](double p) { return 1e9 * p * p; });
  const FitRow row = row_of(fits_of(run), "weak");
  EXPECT_EQ(row.model, "constant+log");
  EXPECT_NEAR(row.curve.fit.terms[2] / row.curve.fit.terms[0], 0.2 / 3.0, 1e-9);
  EXPECT_FALSE(row.serial_fraction) << "nothing is split there";
}

TEST(FitRows, BecomeColumnsWithNoneForWhatIsNotThere) {
  const std::vector<Column> columns = fit_columns(fits_of(scaling_run()));
  const auto column = [&](const std::string& name) -> const Column& {
    const auto it = std::ranges::find(columns, name, &Column::name);
    if (it == columns.end()) throw Error(ErrorKind::internal, "no column " + name);
    return *it;
  };
  for (const char* name :
       {"model", "a", "a_lo", "a_hi", "b", "c", "d_hi", "aicc", "n_points", "holdout_error", "holdout_inside",
        "serial_fraction", "peak_ranks", "note", "usl_contention_lo"})
    EXPECT_NO_THROW(column(name));
  EXPECT_TRUE(std::isnan(std::get<std::vector<double>>(column("a").values)[0]));
  EXPECT_EQ(std::get<std::vector<std::int64_t>>(column("holdout_inside").values),
            (std::vector<std::int64_t>{kAbsent, 1}));
}

TEST(FitRows, ArePrintedWithTheirHoldOutAndOnlyWhenThereAreAny) {
  const RunRecord none = synthetic_run(), run = scaling_run();
  EXPECT_EQ(tables_text(all_sections(none, make_results(none))).find("hold-out"), std::string::npos);
  const std::string text = tables_text(all_sections(run, make_results(run)));
  EXPECT_NE(text.find("p=64: +0.0 % (inside)"), std::string::npos) << text;
  EXPECT_NE(summary_markdown(run, all_sections(run, make_results(run)), "d").find("## fits"), std::string::npos);
}

std::string bytes_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(FitRows, AreInTheStoreBothWaysAndTheSameBytesAfterARoundTrip) {
  const fs::path folder = fs::temp_directory_path() / ("fit_rows_test_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  write_store(scaling_run(), folder / "a.h5");
  write_store(read_store(folder / "a.h5"), folder / "b.h5");
  EXPECT_TRUE(bytes_of(folder / "a.h5") == bytes_of(folder / "b.h5"));
  {
    const h5::Handle file = h5::open_file(folder / "a.h5");
    EXPECT_EQ(h5::read_strings(h5::open_group(file, "fits"), "model"),
              (std::vector<std::string>{"", "amdahl"}));
    const std::vector<std::string> tables = h5::names(h5::open_group(file, "tables"));
    EXPECT_NE(std::ranges::find(tables, "fits"), tables.end());
  }
  fs::remove_all(folder);
}

TEST(FitsSection, WritesTheFormulaOfWhatIsThere) {
  EXPECT_EQ(formula({0.005, 0.095, 0.0, 0.0}), "5 ms + 95 ms/p");
  EXPECT_EQ(formula({0.0, 0.095, 0.0, 1e-6}), "95 ms/p + 1 us (p-1)");
}

}  // namespace
}  // namespace bench::analysis
