// SPDX-License-Identifier: Apache-2.0
#include "jobs/engine/ledger.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/jobs/toy_kernels.hpp"

namespace bench::jobs {
namespace {

namespace fs = std::filesystem;

// One case on two ranks, two visits: the least that has an ended one and an owed one.
class LedgerTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("ledger_test_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    run_ = {.run_id = "r", .created_utc = "2026-01-01T00:00:00Z", .study = "s", .plan_sha256 = "p", .provenance_json = "{}"};
    run_.cases.push_back(toy::make_case("toy/right", 2));
    journal_ = std::make_unique<Journal>(file());
    journal_->append(plan_record(run_), true);
    tasks_ = {{.case_index = 0, .visit = 0, .ranks = 2}, {.case_index = 0, .visit = 1, .ranks = 2}};
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path file() const { return folder_ / "journal.jsonl"; }
  const std::string& id() const { return run_.cases[0].id; }
  analysis::VisitRecord ended(std::int64_t visit, Outcome outcome = Outcome::ok) const {
    analysis::VisitRecord record{.case_id = id(), .visit = visit, .outcome = outcome, .ranks = 2};
    if (outcome == Outcome::ok) record.rank_time_s = {0.5, 0.25};
    return record;
  }
  /// What a later start of the program finds.
  Ledger reopened(analysis::RunRecord& run) {
    JournalNotes notes;
    run = load_journal(file(), &notes);
    return Ledger(run, *journal_, notes);
  }
  std::vector<scaling::Task> owed(Ledger& ledger, bool hit = true) {
    return ledger.owed(tasks_, run_.cases, [hit](const StartedVisit&) { return hit; });
  }

  fs::path folder_;
  analysis::RunRecord run_;
  std::unique_ptr<Journal> journal_;
  std::vector<scaling::Task> tasks_;
};

TEST_F(LedgerTest, OwesWhatHasNotEndedAndBooksAnEndOnce) {
  Ledger ledger(run_, *journal_, {});
  EXPECT_EQ(owed(ledger).size(), 2U);
  EXPECT_TRUE(ledger.ended(ended(0)));
  EXPECT_FALSE(ledger.ended(ended(0))) << "a leader may send a report again after a death";
  ASSERT_EQ(owed(ledger).size(), 1U);
  EXPECT_EQ(owed(ledger)[0].visit, 1);
  EXPECT_EQ(load_journal(file()).visits.size(), 1U);
}

TEST_F(LedgerTest, CountsAnAttemptThatNeverEndedAndQuarantinesAtTheSecond) {
  Ledger first(run_, *journal_, {});
  first.started({id(), 0}, {.attempt = 1, .first_rank = 0, .ranks = 2});
  analysis::RunRecord again;
  Ledger second = reopened(again);
  ASSERT_EQ(owed(second).size(), 2U);
  EXPECT_EQ(owed(second)[0].attempt, 2);
  second.started({id(), 0}, {.attempt = 2, .first_rank = 0, .ranks = 2});
  Ledger third = reopened(again);
  const auto left = owed(third);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].visit, 1);
  const analysis::RunRecord final = load_journal(file());
  ASSERT_EQ(final.visits.size(), 1U);
  EXPECT_EQ(final.visits[0].outcome, Outcome::quarantined);
  EXPECT_EQ(final.visits[0].attempt, 2);
}

TEST_F(LedgerTest, DoesNotBlameAVisitForADeathElsewhere) {
  Ledger first(run_, *journal_, {});
  first.started({id(), 0}, {.attempt = 2, .first_rank = 0, .ranks = 2});
  analysis::RunRecord again;
  Ledger second = reopened(again);
  const auto left = owed(second, false);
  ASSERT_EQ(left.size(), 2U);
  EXPECT_EQ(left[0].attempt, 2) << "the same attempt again, not a third";
}

TEST_F(LedgerTest, MeasuresAgainOnlyTheOutcomesThatWereAskedFor) {
  Ledger ledger(run_, *journal_, {});
  ledger.ended(ended(0, Outcome::timeout));
  ledger.ended(ended(1, Outcome::oom));
  EXPECT_TRUE(owed(ledger).empty());
  ledger.retry({{Outcome::timeout}});
  const auto left = owed(ledger);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].visit, 0);
  EXPECT_EQ(left[0].attempt, 1) << "it had ended: no attempt is held against it";
  EXPECT_EQ(run_.visits.size(), 1U) << "the old row gives way to the new one";
}

TEST_F(LedgerTest, TellsTheSessionsOfAResumedRunApart) {
  Ledger first(run_, *journal_, {});
  first.ended(ended(0));
  first.mark("resumed", "by a test");
  analysis::RunRecord again;
  Ledger second = reopened(again);
  second.ended(ended(1));
  const analysis::RunRecord final = load_journal(file());
  EXPECT_EQ(final.visits[0].session, 1);
  EXPECT_EQ(final.visits[1].session, 2);
}

TEST_F(LedgerTest, LeavesACaseAloneThatEndedItsProcess) {
  Ledger first(run_, *journal_, {});
  analysis::VisitRecord fatal = ended(0, Outcome::crashed);
  fatal.ended_process = true;
  first.ended(fatal);
  analysis::RunRecord again;
  Ledger second = reopened(again);
  EXPECT_TRUE(owed(second).empty()) << "its other visit would end the next process, too";
  const analysis::RunRecord final = load_journal(file());
  ASSERT_EQ(final.visits.size(), 2U);
  EXPECT_EQ(final.visits[0].outcome, Outcome::crashed);
  EXPECT_EQ(final.visits[1].outcome, Outcome::quarantined);
  EXPECT_NE(final.visits[1].reason.find("visit 0"), std::string::npos) << final.visits[1].reason;
}

TEST_F(LedgerTest, TriesACaseThatEndedItsProcessAgainWhereThatIsAskedFor) {
  Ledger first(run_, *journal_, {});
  analysis::VisitRecord fatal = ended(0, Outcome::crashed);
  fatal.ended_process = true;
  first.ended(fatal);
  first.retry({{Outcome::crashed}});
  EXPECT_EQ(owed(first).size(), 2U);
}

}  // namespace
}  // namespace bench::jobs
