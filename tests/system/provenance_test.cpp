// SPDX-License-Identifier: Apache-2.0
#include "src/system/provenance.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <ctime>
#include <string>

namespace bench::system {
namespace {

using Json = nlohmann::ordered_json;

void expect_no_blanks(const Json& value, const std::string& where) {
  EXPECT_FALSE(value.is_null()) << where;
  // A user's variable and the compiler's flags may well be empty.
  const bool may_be_empty = where.starts_with("/variables/") || where == "/build/flags";
  EXPECT_TRUE(may_be_empty || value != "") << where;
  if (!value.is_object()) return;
  for (const auto& [key, item] : value.items()) expect_no_blanks(item, where + "/" + key);
}

TEST(Provenance, HasEverySectionAndNoBlankFacts) {
  const Json all = provenance({"run", "--study", "smoke"}, false);
  for (const char* section :
       {"started_utc", "argv", "build", "host", "cpu", "memory", "libraries", "slurm", "variables"}) {
    EXPECT_TRUE(all.contains(section)) << section;
  }
  expect_no_blanks(all, "");
  EXPECT_EQ(all["argv"], (Json{"run", "--study", "smoke"}));
  for (const char* key : {"version", "commit", "dirty", "build_type", "compiler", "flags"})
    EXPECT_TRUE(all["build"].contains(key)) << key;
  EXPECT_EQ(Json::parse(all.dump()), all);
}

TEST(Provenance, HidesTheHostUnlessAskedNotTo) {
  char name[256] = {};
  ASSERT_EQ(gethostname(name, sizeof name - 1), 0);
  EXPECT_EQ(provenance({}, true)["host"]["name"], name);
  const Json hidden = provenance({}, false)["host"];
  EXPECT_EQ(hidden["name"], hashed_name(name));
  EXPECT_EQ(hidden["name_is_hashed"], true);
}

TEST(Provenance, HashesNamesBySha256) {
  EXPECT_EQ(hashed_name("abc"), "ba7816bf8f01cfea");  // FIPS 180-2, appendix B.1
  EXPECT_NE(hashed_name("node1"), hashed_name("node2"));
}

TEST(Provenance, TakesLibraryVersionsFromThoseWhoLinkThem) {
  EXPECT_EQ(provenance({}, false)["libraries"]["mpi"], kUnavailable);
  const Json libraries = provenance({}, false, {{"mpi", "Some MPI 9"}, {"nccl", ""}})["libraries"];
  EXPECT_EQ(libraries["mpi"], "Some MPI 9");
  EXPECT_EQ(libraries["nccl"], kUnavailable);
}

// Sets a variable for the length of a test; the process's own value comes back.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    const char* old = std::getenv(name);
    had_ = old != nullptr;
    if (had_) old_ = old;
    if (value == nullptr) {
      unsetenv(name);
    } else {
      setenv(name, value, 1);
    }
  }
  ~Variable() {
    if (had_) {
      setenv(name_, old_.c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }

 private:
  const char* name_;
  std::string old_;
  bool had_ = false;
};

TEST(Provenance, RecordsTheJobUnderSlurmWithItsNodesHashed) {
  const Variable job("SLURM_JOB_ID", "77"), nodes("SLURM_JOB_NODELIST", "n[1-2]"),
      task("SLURM_ARRAY_TASK_ID", "3"), qos("SLURM_JOB_QOS", nullptr);
  const Json hidden = provenance({}, false)["slurm"];
  EXPECT_EQ(hidden["SLURM_JOB_ID"], "77");
  EXPECT_EQ(hidden["SLURM_ARRAY_TASK_ID"], "3");
  EXPECT_EQ(hidden["SLURM_JOB_NODELIST"], hashed_name("n[1-2]"));
  EXPECT_EQ(hidden["SLURM_JOB_QOS"], kUnavailable);
  EXPECT_EQ(provenance({}, true)["slurm"]["SLURM_JOB_NODELIST"], "n[1-2]");
}

TEST(Provenance, SaysSoOutsideOfSlurm) {
  const Variable job("SLURM_JOB_ID", nullptr);
  EXPECT_EQ(provenance({}, false)["slurm"], kUnavailable);
}

TEST(Provenance, RecordsSettingsThatChangeSpeedAndNoOthers) {
  const Variable ours("BENCH_SCALE_SOMETHING", "a=b"), omp("OMP_PROC_BIND", "close"),
      secret("SOME_TOKEN", "hush");
  const Json variables = provenance({}, false)["variables"];
  EXPECT_EQ(variables["BENCH_SCALE_SOMETHING"], "a=b");
  EXPECT_EQ(variables["OMP_PROC_BIND"], "close");
  EXPECT_FALSE(variables.contains("SOME_TOKEN"));
}

TEST(Provenance, BytesThatAreNotUtf8DoNotBreakTheJson) {
  const Json all = provenance({"--note", "\xff\xfe"}, false);
  EXPECT_NO_THROW(static_cast<void>(all.dump()));
  EXPECT_EQ(all["argv"][1], "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(IsaFeatures, KeepTheOnesThatMatterAndMatchWholeWords) {
  EXPECT_EQ(isa_features("processor\t: 0\nflags\t\t: fpu sse4_2 avx512_bf16 fma avx2 xavx\n"),
            (std::vector<std::string>{"sse4_2", "avx2", "fma", "avx512_bf16"}));
  EXPECT_EQ(isa_features("Features\t: fp asimd sve\n"), (std::vector<std::string>{"asimd", "sve"}));
  EXPECT_TRUE(isa_features("").empty());
}

TEST(VersionText, NamesTheProgramItsCommitAndItsBuild) {
  const std::string text = version_text();
  EXPECT_EQ(text.rfind("bench_scale ", 0), 0U) << text;
  EXPECT_NE(text.find(" (commit "), std::string::npos) << text;
  EXPECT_EQ(text.back(), ')') << text;
}

TEST(UtcNow, IsIso8601AndTheTimeNow) {
  std::tm parts{};
  const std::string text = utc_now();
  const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  ASSERT_NE(end, nullptr) << text;
  EXPECT_EQ(*end, '\0') << text;
  EXPECT_LE(std::abs(std::difftime(timegm(&parts), std::time(nullptr))), 5.0) << text;
}

}  // namespace
}  // namespace bench::system
