// SPDX-License-Identifier: Apache-2.0
// From paths to a side: which files, of which program, and how several become one.
#include "analysis/compare/sides.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <iterator>

#include "analysis/compare/merge_sides.hpp"
#include "analysis/compare/run_side.hpp"
#include "analysis/store.hpp"
#include "tests/analysis/foreign_files.hpp"
#include "tests/analysis/synthetic_run.hpp"

namespace bench::analysis {
namespace {

namespace fs = std::filesystem;

class Sides : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path write(const std::string& name, const std::string& text) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  /// The synthetic run, all its times `scale` times as long, under a run id of its own.
  fs::path write_run(const std::string& name, double scale = 1.0) const {
    RunRecord run = synthetic_run();
    run.run_id = name;
    for (VisitRecord& visit : run.visits)
      for (double& time : visit.rank_time_s) time *= scale;
    fs::create_directories((folder_ / name).parent_path());
    write_store(run, folder_ / name);
    return folder_ / name;
  }
  static std::string refusal(const std::vector<fs::path>& files) {
    return refusal_of([&] { read_side(files); });
  }
  /// The words of a usage error.
  template <class Call>
  static std::string usage(Call&& call) {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage) << error.what();
      return error.what();
    }
    return {};
  }
  const fs::path folder_ = fs::temp_directory_path() / ("sides_test_" + std::to_string(::getpid()));
};

TEST_F(Sides, OfOurOwnFilesHaveTheirCasesById) {
  const Side side = read_side({write_run("results.h5")});
  EXPECT_EQ(side.label, (folder_ / "results.h5").string());
  EXPECT_EQ(side.launches, 1);
  ASSERT_EQ(side.cases.size(), 7U);
  const Measured& flash = side.cases.at("attention-flash-1");
  EXPECT_EQ(flash.name, "attention/flash seq=128 heads=4 causal=true dtype=fp32");
  EXPECT_EQ(flash.outcome, Outcome::ok);
  ASSERT_EQ(flash.launches_s.size(), 1U);
  EXPECT_NEAR(flash.launches_s[0], 0.5 * 1.005e-3, 1e-15);
  EXPECT_EQ(flash.visits_s.size(), 1U);
  EXPECT_EQ(flash.samples, 10);
  EXPECT_DOUBLE_EQ(flash.error, 1e-6) << "of the output nearest to its tolerance";
  EXPECT_DOUBLE_EQ(flash.tolerance, 1e-5);
  EXPECT_EQ(flash.peak_memory_bytes, 1 << 20);
  EXPECT_TRUE(flash.metrics.empty());
  EXPECT_EQ(side.cases.at("attention-ring-2").name,
            "attention/ring ranks=2 seq=128 heads=4 causal=true dtype=fp32");
}

TEST_F(Sides, OfOurOwnFilesKeepFailedCasesWithoutTimes) {
  const Side side = read_side({write_run("results.h5")});
  const Measured& broken = side.cases.at("attention-broken-1");
  EXPECT_EQ(broken.outcome, Outcome::wrong_result);
  EXPECT_NE(broken.reason.find("off by 0.5"), std::string::npos);
  EXPECT_DOUBLE_EQ(broken.error, 0.5);
  EXPECT_TRUE(broken.launches_s.empty());
  EXPECT_EQ(side.cases.at("attention-missing-1").outcome, Outcome::skipped);
  EXPECT_EQ(side.cases.at("attention-missing-1").reason, "library absent");
}

TEST_F(Sides, GiveALaunchTheGeometricMeanOfItsVisits) {
  RunRecord run = synthetic_run();
  run.visits = {synthetic_visit(run.cases[0], 1.0), synthetic_visit(run.cases[0], 4.0)};
  run.visits[1].visit = 1;
  const Measured naive = run_side(run).cases.at(run.cases[0].id);
  ASSERT_EQ(naive.visits_s.size(), 2U);
  EXPECT_NEAR(naive.launches_s.at(0), 2.0 * 1.005e-3, 1e-15) << "the root of 1 x 4, not their mean";
  EXPECT_EQ(naive.samples, 20);
}

TEST_F(Sides, NameCasesByWhatElseTellsThemApart) {
  RunRecord run = synthetic_run();
  run.cases[1].params["window"] = std::int64_t{64};
  run.cases[0].params["window"] = std::int64_t{0};
  run.cases[0].params["seed"] = run.cases[1].params["seed"] = std::int64_t{7};
  const std::string name = run_side(run).cases.at("attention-flash-1").name;
  EXPECT_EQ(name, "attention/flash seq=128 heads=4 causal=true dtype=fp32 window=64")
      << "the seed is the same in all";
}

TEST_F(Sides, JoinFilesAsLaunches) {
  const Side side = read_side({write_run("a.h5"), write_run("b.h5", 2.0), write_run("c.h5", 4.0)});
  EXPECT_EQ(side.launches, 3);
  EXPECT_EQ(side.label, (folder_ / "a.h5").string() + " and 2 more");
  const Measured& naive = side.cases.at("attention-naive-1");
  ASSERT_EQ(naive.launches_s.size(), 3U);
  EXPECT_NEAR(naive.launches_s[2] / naive.launches_s[0], 4.0, 1e-12);
  EXPECT_EQ(naive.samples, 30);
  EXPECT_EQ(side.cases.at("attention-broken-1").outcome, Outcome::wrong_result);
}

TEST_F(Sides, CountALaunchOnce) {
  const fs::path a = write_run("a.h5");
  EXPECT_NE(usage([&] {
              read_side({a, folder_ / "." / "a.h5"});
            }).find("is the same file as"),
            std::string::npos);
  fs::copy_file(a, folder_ / "copy.h5");
  EXPECT_NE(usage([&] {
              read_side({a, folder_ / "copy.h5"});
            }).find("holds the same run as"),
            std::string::npos);
}

TEST(MergeSides, TakesTheWorstOfEveryKind) {
  Side good, bad;
  good.launches = bad.launches = 1;
  good.environment = {{"cpu", "new"}, {"os", "x"}};
  bad.environment = {{"cpu", "first"}, {"os", "x"}, {"mpi", "y"}};
  Measured& fine = good.cases["k"];
  fine.name = "k";
  fine.launches_s = fine.visits_s = {1.0};
  fine.error = 0.2;
  fine.tolerance = 0.5;
  fine.peak_memory_bytes = 7;
  fine.metrics["m"] = 1.0;
  Measured& failed = bad.cases["k"];
  failed.outcome = Outcome::crashed;
  failed.reason = "why";
  failed.error = 0.1;
  failed.peak_memory_bytes = 9;
  failed.metrics["m"] = 3.0;
  bad.cases["alone"].launches_s = {2.0};
  for (const auto& order : {std::vector{good, bad}, std::vector{bad, good}}) {
    const Side side = merge_sides(order);
    const Measured& k = side.cases.at("k");
    EXPECT_EQ(k.outcome, Outcome::crashed);
    EXPECT_EQ(k.reason, "why");
    EXPECT_EQ(k.launches_s, std::vector<double>{1.0});
    EXPECT_DOUBLE_EQ(k.error, 0.2);
    EXPECT_DOUBLE_EQ(k.tolerance, 0.5) << "0 is unknown, not strict";
    EXPECT_EQ(k.peak_memory_bytes, 9);
    EXPECT_DOUBLE_EQ(k.metrics.at("m"), 2.0);
    EXPECT_EQ(side.cases.at("alone").launches_s.size(), 1U);
    EXPECT_EQ(side.environment,
              (std::map<std::string, std::string>{{"cpu", "first | new"}, {"os", "x"}, {"mpi", "y"}}));
    EXPECT_EQ(side.launches, 2);
  }
}

TEST(MergeSides, LetsNoNumberHideANaN) {
  Side nan, fine;
  nan.cases["k"].error = std::nan("");
  fine.cases["k"].error = 1e-6;
  EXPECT_TRUE(std::isnan(merge_sides({nan, fine}).cases.at("k").error));
  EXPECT_TRUE(std::isnan(merge_sides({fine, nan}).cases.at("k").error));
}

TEST(MergeSides, RanksEveryOutcomeOnce) {
  std::vector<int> ranks;
  for (std::size_t i = 0; i < kOutcomeNames.size(); ++i) ranks.push_back(severity(static_cast<Outcome>(i)));
  std::ranges::sort(ranks);
  for (std::size_t i = 0; i < ranks.size(); ++i) EXPECT_EQ(ranks[i], static_cast<int>(i));
  EXPECT_GT(severity(Outcome::wrong_result), severity(Outcome::crashed));
  EXPECT_GT(severity(Outcome::skipped), severity(Outcome::ok));
}

TEST_F(Sides, OfAFolderAreAllItsResultsSortedAndNoneThatIsHidden) {
  for (const char* name : {"runs/b/results.h5", "runs/a/results.h5", "runs/.trash/results.h5",
                           "runs/a/.old/results.h5", "runs/a/other.h5"})
    write(name, "x");
  fs::create_directory_symlink(folder_ / "runs/a", folder_ / "runs/latest");
  const std::vector<fs::path> expected{folder_ / "runs/a/results.h5", folder_ / "runs/b/results.h5"};
  EXPECT_EQ(files_of(folder_ / "runs"), expected) << "a link to a run does not count it twice";
  EXPECT_EQ(files_of(folder_ / "runs/.trash").size(), 1U) << "asked for by name";
  EXPECT_EQ(files_of(folder_ / "runs/a/other.h5"), std::vector{folder_ / "runs/a/other.h5"});
}

TEST_F(Sides, OfAFolderAreJoined) {
  write_run("runs/1/results.h5");
  write_run("runs/2/results.h5");
  const Side side = read_side({folder_ / "runs"});
  EXPECT_EQ(side.launches, 2);
  EXPECT_EQ(side.label, (folder_ / "runs").string());
}

TEST_F(Sides, OfNothingAreAMistakeOfTheUser) {
  fs::create_directories(folder_ / "empty");
  EXPECT_NE(usage([&] { files_of(folder_ / "empty"); }).find("has no results.h5"), std::string::npos);
  EXPECT_NE(usage([&] { read_side({folder_ / "none.h5"}); }).find("none.h5' does not exist"),
            std::string::npos);
  EXPECT_NE(usage([&] { read_side({}); }).find("needs a file"), std::string::npos);
}

TEST_F(Sides, TellEveryFormatByItsContent) {
  const fs::path gb = write(
      "a.txt",
      R"({"context": {"num_cpus": 2}, "benchmarks": [{"name": "a", "real_time": 1, "time_unit": "s"}]})");
  const fs::path hyperfine =
      write("b.h5", R"({"results": [{"command": "a", "times": [2, 3], "exit_codes": [0, 0]}]})");
  const fs::path hf =
      write("c", R"({"h": {"metadata": {"model_id": "m"}, "measurements": {"e2e_latency": [4]}}})");
  EXPECT_EQ(read_side({gb}).cases.at("a").launches_s, std::vector<double>{1.0});
  EXPECT_EQ(read_side({hyperfine}).launches, 2) << "whatever its name says";
  EXPECT_NEAR(read_side({hf}).cases.at("m/h").launches_s.at(0), 4.0, 1e-15);
  const Side both = read_side({gb, hyperfine});
  EXPECT_EQ(both.cases.at("a").launches_s.size(), 3U);
  EXPECT_EQ(both.launches, 3);
}

TEST_F(Sides, OfBrokenOrUnknownFilesAreRefusedByName) {
  const auto expect = [&](const std::string& text, const std::string& words) {
    const std::string said = refusal({write("odd.json", text)});
    EXPECT_NE(said.find("odd.json"), std::string::npos) << said;
    EXPECT_NE(said.find(words), std::string::npos) << said;
  };
  expect("", "it is not HDF5, and it stops being JSON in line 1; expected a results.h5, or JSON of");
  expect("hello", "it is not HDF5");
  expect("\x89HDF", "it is not HDF5");
  expect("{}", "it is JSON of an unknown form; expected");
  expect("[1]", "unknown form");
  expect(R"({"results": []})", "as hyperfine JSON: field 'results' is empty");
  expect(R"({"benchmarks": [{"name": "a", "real_time": -1}]})",
         "as Google Benchmark JSON: benchmarks[0]: field 'real_time'");
  expect(R"({"x": {"measurements": {}}})", "as HF benchmark_v2 JSON: x: field 'metadata' is missing");
  const fs::path whole = write_run("whole.h5");
  std::ifstream in(whole, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  expect(bytes.substr(0, bytes.size() / 2), "cannot read");
}

TEST(EnvironmentOf, KeepsWhatChangesSpeedAndNothingThatAnyTwoRunsDifferIn) {
  const std::string provenance = R"({"started_utc": "2026-01-02T03:04:05Z", "argv": ["bench_scale"],
    "build": {"version": "1", "commit": "abc", "dirty": "yes", "build_type": "Release", "compiler": "GNU 12",
      "flags": "-O3"},
    "host": {"name": "secret", "name_is_hashed": false, "kernel": "6.1", "os": "Debian"},
    "cpu": {"model": "X", "cores": 8, "smt_active": "unavailable", "isa": ["avx2", "fma"],
      "load_average": [1, 2, 3]},
    "memory": {"total_bytes": 1024, "available_bytes": 512}, "libraries": {"mpi": "4.1",
      "nccl": "unavailable"},
    "slurm": {"SLURM_JOB_ID": "77", "SLURM_JOB_PARTITION": "big"},
    "variables": {"OMP_NUM_THREADS": "4", "OMPI_MCA_btl": "tcp",
      "OMPI_MCA_orte_hnp_uri": "77;tcp://10.0.0.1", "BENCH_SCALE_STUDIES": "x",
      "NCCL_TOPO_FILE": "/home/me/topo.xml"}})";
  const std::map<std::string, std::string> expected{{"build.build_type", "Release"},
                                                    {"build.compiler", "GNU 12"},
                                                    {"build.flags", "-O3"},
                                                    {"host.kernel", "6.1"},
                                                    {"host.os", "Debian"},
                                                    {"cpu.model", "X"},
                                                    {"cpu.cores", "8"},
                                                    {"cpu.isa", "avx2,fma"},
                                                    {"memory.total_bytes", "1024"},
                                                    {"libraries.mpi", "4.1"},
                                                    {"slurm.SLURM_JOB_PARTITION", "big"},
                                                    {"variables.OMP_NUM_THREADS", "4"},
                                                    {"variables.OMPI_MCA_btl", "tcp"}};
  EXPECT_EQ(environment_of(provenance), expected);
  EXPECT_NE(refusal_of([] { environment_of("[]"); }).find("provenance"), std::string::npos);
  EXPECT_NE(refusal_of([] { environment_of("{"); }).find("provenance"), std::string::npos);
}

}  // namespace
}  // namespace bench::analysis
