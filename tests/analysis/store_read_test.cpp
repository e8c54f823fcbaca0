// SPDX-License-Identifier: Apache-2.0
// A results file as it comes back: whole, or with a reason in words.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <iterator>

#include "analysis/h5.hpp"
#include "analysis/store.hpp"
#include "tests/analysis/synthetic_run.hpp"

namespace bench::analysis {
namespace {

namespace fs = std::filesystem;

class StoreFiles : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  static std::string bytes_of(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  /// The words with which read_store refuses the file.
  static std::string refusal(const fs::path& path) {
    try {
      read_store(path);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::io);
      return error.what();
    }
    return {};
  }
  /// A good file after `damage` has been at it.
  fs::path damaged(const std::function<void(hid_t)>& damage) const {
    const fs::path path = folder_ / "damaged.h5";
    write_store(synthetic_run(), path);
    const h5::Handle file(BS_H5(H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT)), H5Fclose);
    damage(file);
    return path;
  }
  /// Puts other values in the place of a column.
  static void replace(hid_t file, const std::string& group, const std::string& column, const std::vector<std::int64_t>& values) {
    const h5::Handle parent = h5::open_group(file, group);
    BS_H5(H5Ldelete(parent, column.c_str(), H5P_DEFAULT));
    h5::write_ints(parent, column, values);
  }
  const fs::path folder_ = fs::temp_directory_path() / ("store_read_test_" + std::to_string(::getpid()));
};

TEST_F(StoreFiles, ReadBackAndWrittenAgainAreTheSameBytes) {
  write_store(synthetic_run(), folder_ / "a.h5");
  const RunRecord back = read_store(folder_ / "a.h5");
  write_store(back, folder_ / "b.h5");
  EXPECT_TRUE(bytes_of(folder_ / "a.h5") == bytes_of(folder_ / "b.h5")) << "so every column came back, bit by bit";
  const RunRecord run = synthetic_run();
  ASSERT_EQ(back.cases.size(), run.cases.size());
  for (std::size_t i = 0; i < run.cases.size(); ++i) {
    EXPECT_EQ(back.cases[i].params, run.cases[i].params) << "bool, number or text, and none that the op does not have";
    EXPECT_EQ(back.cases[i].scaling, run.cases[i].scaling);
  }
  ASSERT_EQ(back.visits.size(), run.visits.size());
  const VisitRecord &was = run.visits[4], &is = back.visits[4];  // of two ranks
  EXPECT_EQ(is.rank_time_s, was.rank_time_s);
  EXPECT_EQ(is.rank_start_s, was.rank_start_s);
  EXPECT_EQ(is.flags, was.flags);
  EXPECT_EQ(is.sync, "window");
  EXPECT_EQ(is.before, was.before);
  ASSERT_EQ(back.telemetry.size(), 2U);
  EXPECT_EQ(back.telemetry[0].values, run.telemetry[0].values);
  EXPECT_EQ(is.after, was.after) << "what the machine did not tell is absent, not 0";
}

TEST_F(StoreFiles, OfARunThatMeasuredNothingReadBackToo) {
  RunRecord run = synthetic_run();
  run.visits.clear();
  run.limits.clear();
  for (scaling::Case& c : run.cases) c.scaling.clear();
  write_store(run, folder_ / "a.h5");
  write_store(read_store(folder_ / "a.h5"), folder_ / "b.h5");
  EXPECT_TRUE(bytes_of(folder_ / "a.h5") == bytes_of(folder_ / "b.h5"));
}

TEST_F(StoreFiles, HoldProvenanceOfAnySize) {
  RunRecord run = synthetic_run();
  run.provenance_json = "{\"modules\":\"" + std::string(200'000, 'x') + "\"}";  // HDF5 keeps at most 64 KiB in an object's header
  ASSERT_NO_THROW(write_store(run, folder_ / "a.h5"));
  EXPECT_EQ(read_store(folder_ / "a.h5").provenance_json, run.provenance_json);
}

TEST_F(StoreFiles, StayAsTheyWereWhenTheDiskIsFull) {
  const fs::path path = folder_ / "a.h5";
  write_store(synthetic_run(), path);
  const std::string before = bytes_of(path);
  RunRecord larger = synthetic_run();
  larger.journal_bytes = before + before;
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit few{.rlim_cur = 100'000, .rlim_max = old.rlim_max};  // bytes: less than any store
  ::setrlimit(RLIMIT_FSIZE, &few);
  for (int attempt = 0; attempt < 2; ++attempt) EXPECT_THROW(write_store(larger, path), Error) << "the second try meets no leftovers";
  ::setrlimit(RLIMIT_FSIZE, &old);
  ::signal(SIGXFSZ, handler);
  EXPECT_EQ(bytes_of(path), before);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1) << "no temporary file is left";
  EXPECT_NO_THROW(write_store(larger, path));
}

TEST_F(StoreFiles, ThatAreAbsentForeignOrCutAreRefused) {
  EXPECT_NE(refusal(folder_ / "none.h5").find("none.h5"), std::string::npos);
  std::ofstream(folder_ / "text.h5") << "not HDF5";
  EXPECT_NE(refusal(folder_ / "text.h5"), "");
  write_store(synthetic_run(), folder_ / "a.h5");
  const std::string whole = bytes_of(folder_ / "a.h5");
  for (const std::size_t length : {whole.size() / 4, whole.size() / 2, whole.size() - 1}) {
    std::ofstream(folder_ / "cut.h5", std::ios::binary) << whole.substr(0, length);
    EXPECT_NE(refusal(folder_ / "cut.h5"), "") << length << " of " << whole.size() << " bytes";
  }
}

TEST_F(StoreFiles, WithADamagedTextSizeAreRefusedBeforeHdf5TripsOverIt) {
  write_store(synthetic_run(), folder_ / "a.h5");
  const std::string whole = bytes_of(folder_ / "a.h5");
  std::size_t heaps = 0;
  for (std::size_t at = whole.find("GCOL"); at != whole.npos; at = whole.find("GCOL", at + 1), ++heaps) {
    std::string bad = whole;
    bad[at + 16 + 14] = '\x7f';  // of the heap's first object, a high byte of its size
    std::ofstream(folder_ / "bad.h5", std::ios::binary) << bad;
    EXPECT_NE(refusal(folder_ / "bad.h5").find("is damaged"), std::string::npos) << "heap at " << at;
  }
  EXPECT_GT(heaps, 0U);
}

TEST_F(StoreFiles, OfAnotherProgramOrANewerSchemaAreRefused) {
  EXPECT_NE(refusal(damaged([](hid_t file) { BS_H5(H5Adelete(file, "schema")); })).find("not written by"), std::string::npos);
  const auto newer = [](hid_t file) {
    BS_H5(H5Adelete(file, "schema_version"));
    h5::set_attribute(file, "schema_version", kStoreSchema + 1);
  };
  EXPECT_NE(refusal(damaged(newer)).find(concat("schema is ", kStoreSchema + 1)), std::string::npos);
}

TEST_F(StoreFiles, WithColumnsThatDoNotFitTogetherAreRefused) {
  const auto with = [&](const char* group, const char* column, const std::vector<std::int64_t>& values) {
    return refusal(damaged([&](hid_t file) { replace(file, group, column, values); }));
  };
  const std::vector<std::int64_t> six(6, 99);  // six visits, and no hundredth case
  EXPECT_NE(with("visits", "case_index", six).find("99"), std::string::npos);
  EXPECT_NE(with("visits", "n", six).find("99"), std::string::npos) << "more samples than there are";
  EXPECT_NE(with("visits", "n", {10, 10, 10, 0, 10, 9}).find("goes on"), std::string::npos) << "fewer samples than there are";
  EXPECT_NE(with("visits", "ranks", {1, 1, 1, 1, 0, 1}).find("ranks"), std::string::npos);
  EXPECT_NE(with("samples", "flags", {0}).find("/samples/flags has 1 rows, not 50"), std::string::npos);
  EXPECT_NE(with("rank_samples", "time", {1}).find("'time'"), std::string::npos) << "whole numbers instead of seconds";
  EXPECT_NE(with("cases", "status", {200, 0, 0, 0, 0, 0, 0}).find("200"), std::string::npos);
  EXPECT_NE(with("cases", "status", {0}).find("status"), std::string::npos);
  const auto without_group = [](hid_t file) { BS_H5(H5Ldelete(file, "limits", H5P_DEFAULT)); };
  EXPECT_NE(refusal(damaged(without_group)), "");
}

}  // namespace
}  // namespace bench::analysis
