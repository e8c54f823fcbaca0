// SPDX-License-Identifier: Apache-2.0
#include "jobs/journal.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/jobs/toy_kernels.hpp"

namespace bench::jobs {
namespace {

namespace fs = std::filesystem;

class JournalTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("journal_test_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path file() const { return folder_ / "journal.jsonl"; }

  analysis::RunRecord write_two_visits() const {
    analysis::RunRecord run{.run_id = "r", .created_utc = "2026-01-01T00:00:00Z", .study = "s", .plan_sha256 = "p", .provenance_json = "{}"};
    run.cases.push_back(toy::make_case("toy/right", 2));
    Journal journal(file());
    journal.append(plan_record(run), true);
    for (std::int64_t visit = 0; visit < 2; ++visit) {
      run.visits.push_back({.case_id = run.cases[0].id, .visit = visit, .ranks = 2, .rank_time_s = {0.1, 1.0 / 3.0}, .stop_reason = "converged"});
      journal.append(visit_record(run.visits.back()), true);
    }
    return run;
  }
  std::string bytes() const {
    std::ostringstream text;
    text << std::ifstream(file(), std::ios::binary).rdbuf();
    return text.str();
  }
  void overwrite(const std::string& text) const { std::ofstream(file(), std::ios::binary | std::ios::trunc) << text; }

  fs::path folder_;
};

TEST_F(JournalTest, GivesBackWhatWasWrittenToTheLastBit) {
  const auto run = write_two_visits();
  const auto read = load_journal(file());
  ASSERT_EQ(read.visits.size(), 2U);
  EXPECT_EQ(read.visits[1].rank_time_s, run.visits[1].rank_time_s) << "1/3 survives";
  EXPECT_EQ(read.cases.at(0).id, run.cases[0].id);
  EXPECT_EQ(read.cases.at(0).params, run.cases[0].params);
  EXPECT_EQ(read.journal_bytes, bytes());
}

TEST_F(JournalTest, CountsTheLastRecordOfAVisitThatWasMadeAgain) {
  analysis::RunRecord run = write_two_visits();
  analysis::VisitRecord again = run.visits[0];
  again.attempt = 2;
  Journal(file(), static_cast<std::int64_t>(bytes().size())).append(visit_record(again), true);
  const auto read = load_journal(file());
  ASSERT_EQ(read.visits.size(), 2U) << "the journal keeps both, the tables have one";
  EXPECT_EQ(read.visits[0].visit, 1);
  EXPECT_EQ(read.visits[1].attempt, 2);
}

TEST_F(JournalTest, DropsATornTailAndSaysHowMuch) {
  write_two_visits();
  const std::string whole = bytes();
  const std::size_t last = whole.rfind('\n', whole.size() - 2) + 1;  // where the last record begins
  for (std::size_t cut = last + 1; cut < whole.size(); cut += 7) {   // a writer may die after any byte
    overwrite(whole.substr(0, cut));
    JournalNotes notes;
    EXPECT_EQ(load_journal(file(), &notes).visits.size(), 1U);
    EXPECT_EQ(notes.torn_bytes, static_cast<std::int64_t>(cut - last));
  }
}

TEST_F(JournalTest, RefusesAFlippedBitAndNamesItsLine) {
  write_two_visits();
  std::string text = bytes();
  text[text.find("0.1")] = '7';  // inside the second record
  overwrite(text);
  try {
    load_journal(file());
    FAIL() << "a changed sample was taken for the truth";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::io);
    EXPECT_NE(std::string(error.what()).find(":2:"), std::string::npos) << error.what();
  }
}

TEST_F(JournalTest, NeverCrashesOnGarbage) {
  write_two_visits();
  const std::string whole = bytes();
  for (std::size_t i = 0; i < whole.size(); i += 3) {  // every third byte replaced in turn
    std::string text = whole;
    text[i] = static_cast<char>(text[i] ^ 0x15);
    overwrite(text);
    try {
      load_journal(file());
    } catch (const Error&) {
    }
  }
}

TEST_F(JournalTest, AFullDiskIsAnErrorWithAName) {
  fs::create_symlink("/dev/full", file());  // the kernel's own full disk
  Journal journal(file());
  try {
    journal.append({{"kind", "mark"}}, true);
    FAIL() << "a write to a full disk went through";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::io);
    EXPECT_NE(std::string(error.what()).find("No space left"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace bench::jobs
