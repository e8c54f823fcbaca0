// SPDX-License-Identifier: Apache-2.0
#include "analysis/audit.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/analysis/synthetic_run.hpp"

namespace bench::analysis {
namespace {

class Audit : public ::testing::Test {
 protected:
  Audit() {
    run_.cases.clear();
    run_.visits.clear();
  }
  /// A case of `kernel` with a packed visit beside a neighbour, whose times are `packed` times those of a visit alone.
  scaling::Case add(const std::string& kernel, double packed) {
    scaling::Case c = synthetic_case("attention", kernel, 1);
    c.id += "-" + std::to_string(run_.cases.size());
    c.params["heads"] = static_cast<std::int64_t>(run_.cases.size());
    run_.cases.push_back(c);
    add_visit(c, packed, "packed", {"some-case"});
    return c;
  }
  void add_visit(const scaling::Case& c, double scale, const std::string& placement, std::vector<std::string> neighbours = {}) {
    VisitRecord visit = synthetic_visit(c, scale);
    visit.visit = static_cast<std::int64_t>(run_.visits.size());
    visit.placement = placement;
    visit.neighbours = std::move(neighbours);
    run_.visits.push_back(std::move(visit));
  }
  RunRecord run_ = synthetic_run();
};

TEST_F(Audit, TheRatioIsThatOfPairsWithTheIntervalOfTheirLogarithms) {
  for (const double slow : {1.20, 1.25, 1.30}) add_visit(add("flash", slow), 1.0, kAuditPlacement);
  for (const double same : {0.999, 1.0, 1.001}) add_visit(add("naive", same), 1.0, kAuditPlacement);
  add("ring", 2.0);  // never audited: no row
  const std::vector<AuditRow> rows = audit_rows(run_);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].kernel, "attention/flash");
  EXPECT_EQ(rows[0].pairs, 3U);
  EXPECT_NEAR(rows[0].ratio.value, std::cbrt(1.20 * 1.25 * 1.30), 1e-12);
  EXPECT_EQ(rows[0].contention, scaling::Contention::contended);
  EXPECT_EQ(rows[1].contention, scaling::Contention::clean);
}

TEST_F(Audit, TwoPairsDecideNothing) {
  for (const double slow : {1.5, 1.5}) add_visit(add("flash", slow), 1.0, kAuditPlacement);
  ASSERT_EQ(audit_rows(run_).size(), 1U);
  EXPECT_EQ(audit_rows(run_)[0].contention, scaling::Contention::undecided);
}

TEST_F(Audit, AContendedKernelsPackedCasesAreMarkedAndOthersAreNot) {
  for (const double slow : {1.20, 1.25, 1.30}) add_visit(add("flash", slow), 1.0, kAuditPlacement);
  add("flash", 1.2);                                   // packed, not in the sample: marked with its kernel
  scaling::Case lonely = add("flash", 1.0);            // nothing ran beside it
  run_.visits.back().neighbours.clear();
  add("naive", 1.0);
  const Results results = make_results(run_);
  std::vector<bool> marks;
  for (const CaseResult& result : results.cases) marks.push_back(result.contended);
  EXPECT_EQ(marks, (std::vector<bool>{true, true, true, true, false, false}));
}

TEST_F(Audit, AnAuditsVisitIsNoPartOfTheCasesTime) {
  add_visit(add("flash", 1.0), 0.5, kAuditPlacement);
  const CaseResult result = make_results(run_).cases[0];
  EXPECT_EQ(result.n_visits, 1);
  EXPECT_DOUBLE_EQ(result.time_s.value, 1.005e-3);
}

TEST_F(Audit, ACaseMeasuredAgainAloneHasThoseTimesOnlyAndNoMark) {
  for (const double slow : {1.20, 1.25, 1.30}) add_visit(add("flash", slow), 1.0, kAuditPlacement);
  add_visit(run_.cases[0], 0.9, "solo");
  const Results results = make_results(run_);
  EXPECT_EQ(results.cases[0].n_visits, 1);
  EXPECT_DOUBLE_EQ(results.cases[0].time_s.value, 0.9 * 1.005e-3);
  EXPECT_FALSE(results.cases[0].contended);
  EXPECT_TRUE(results.cases[1].contended);
}

TEST_F(Audit, ANeighbourOfAPackedVisitHadOneToo) {
  const scaling::Case first = add("flash", 1.0);
  run_.visits.back().neighbours.clear();  // it was alone when it began
  add("naive", 1.0);
  run_.visits.back().neighbours = {first.id};
  EXPECT_EQ(packed_cases(run_), (std::set<std::string>{run_.cases[0].id, run_.cases[1].id}));
}

TEST_F(Audit, TheTableSaysWhatWasFound) {
  EXPECT_TRUE(audit_section(run_).table.rows.empty());
  for (const double slow : {1.20, 1.25, 1.30}) add_visit(add("flash", slow), 1.0, kAuditPlacement);
  const auto rows = audit_section(run_).table.rows;
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0][1], "3");
  EXPECT_EQ(rows[0][3], "contended");
}

}  // namespace
}  // namespace bench::analysis
