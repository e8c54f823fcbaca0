// SPDX-License-Identifier: Apache-2.0
// Google Benchmark's files: the fields are those that 1.7.1 writes, `skipped` as 1.8 does.
#include "analysis/compare/google_benchmark_json.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "analysis/compare/foreign_json.hpp"
#include "tests/analysis/foreign_files.hpp"

namespace bench::analysis {
namespace {

// Two repetitions of 4 and 9 us, whose geometric mean is 6 us; a case timed by hand; one that failed; a
// Big-O; a counter that is NaN.
const std::string kGood = R"({
  "context": {"date": "2026-01-02T03:04:05+00:00", "host_name": "secret", "executable": "/home/me/bench",
    "num_cpus": 8, "mhz_per_cpu": 2300, "cpu_scaling_enabled": false, "load_avg": [1.5, 0.5],
    "library_build_type": "release",
    "caches": [{"type": "Data", "level": 1, "size": 49152, "num_sharing": 1},
               {"type": "Unified", "level": 2, "size": 2097152}]},
  "benchmarks": [
    {"name": "sum/8/repeats:2", "run_name": "sum/8/repeats:2", "run_type": "iteration",
     "repetitions": 2, "repetition_index": 0, "threads": 1, "iterations": 100, "real_time": 4.0e+03,
     "cpu_time": 3.0e+03, "time_unit": "ns", "flops": NaN, "max_bytes_used": 640},
    {"name": "sum/8/repeats:2", "run_name": "sum/8/repeats:2", "run_type": "iteration",
     "repetitions": 2, "repetition_index": 1, "threads": 1, "iterations": 100, "real_time": 9.0e+03,
     "cpu_time": 3.0e+03, "time_unit": "ns", "flops": Infinity},
    {"name": "sum/8/repeats:2_mean", "run_name": "sum/8/repeats:2", "run_type": "aggregate", "repetitions": 2,
     "aggregate_name": "mean", "iterations": 2, "real_time": 6.5e+03, "cpu_time": 3.0e+03, "time_unit": "ns"},
    {"name": "copy/manual_time", "run_name": "copy/manual_time", "run_type": "iteration", "repetitions": 1,
     "threads": 1, "iterations": 3, "real_time": 1.5, "cpu_time": 1.0e-4, "time_unit": "ms"},
    {"name": "sum_BigO", "run_name": "sum", "run_type": "aggregate", "aggregate_name": "BigO",
     "cpu_coefficient": 5.0, "real_coefficient": 1.0, "big_o": "N", "time_unit": "ns"},
    {"name": "sum_RMS", "run_name": "sum", "run_type": "aggregate", "aggregate_name": "RMS", "rms": 0.1},
    {"name": "broken", "run_name": "broken", "run_type": "iteration", "error_occurred": true,
     "error_message": "no \"NaN\" way", "real_time": 0.0, "cpu_time": 0.0, "time_unit": "ns"},
    {"name": "absent", "run_name": "absent", "run_type": "iteration", "skipped": true,
     "skip_message": "needs a GPU"}
  ]
})";
Side read(const std::string& text) {
  return google_benchmark_side(parse_foreign(text));
}
std::string refusal(const std::string& text) {
  return refusal_of([&] { read(text); });
}
/// A file of these rows and nothing else.
std::string rows(const std::string& text) {
  return R"({"benchmarks": [)" + text + "]}";
}

TEST(GoogleBenchmarkJson, TakesAFileAsOneLaunchAndItsRepetitionsAsVisits) {
  const Side side = read(kGood);
  EXPECT_EQ(side.launches, 1);
  ASSERT_EQ(side.cases.size(), 4U) << "no Big-O, no RMS, no aggregate";
  const Measured& sum = side.cases.at("sum/8/repeats:2");
  ASSERT_EQ(sum.visits_s.size(), 2U);
  EXPECT_DOUBLE_EQ(sum.visits_s[0], 4e-6);
  EXPECT_DOUBLE_EQ(sum.visits_s[1], 9e-6);
  ASSERT_EQ(sum.launches_s.size(), 1U);
  EXPECT_NEAR(sum.launches_s[0], 6e-6, 1e-18) << "the geometric mean, not the mean row's 6.5";
  EXPECT_EQ(sum.samples, 2);
  EXPECT_EQ(sum.peak_memory_bytes, 640);
  EXPECT_EQ(sum.tolerance, 0.0) << "nothing is known of its accuracy";
  EXPECT_DOUBLE_EQ(side.cases.at("copy/manual_time").visits_s.at(0), 1.5e-3)
      << "real_time, where the time given by hand stands";
}

TEST(GoogleBenchmarkJson, KeepsFailedBenchmarksWithTheirMessage) {
  const Side side = read(kGood);
  const Measured& broken = side.cases.at("broken");
  EXPECT_EQ(broken.outcome, Outcome::crashed);
  EXPECT_EQ(broken.reason, "no \"NaN\" way");
  EXPECT_TRUE(broken.launches_s.empty() && broken.visits_s.empty()) << "its time of 0 is none";
  EXPECT_EQ(side.cases.at("absent").outcome, Outcome::skipped);
  EXPECT_EQ(side.cases.at("absent").reason, "needs a GPU");
}

TEST(GoogleBenchmarkJson, IsFailedAsAWholeWhenOneRepetitionIs) {
  const Side side = read(rows(R"({"name": "a", "run_type": "iteration", "real_time": 5},
                                 {"name": "a", "run_type": "iteration", "error_occurred": true,
                                   "error_message": "late"})"));
  EXPECT_EQ(side.cases.at("a").outcome, Outcome::crashed);
  EXPECT_TRUE(side.cases.at("a").launches_s.empty());
  EXPECT_EQ(side.cases.at("a").samples, 0);
}

TEST(GoogleBenchmarkJson, KeepsOfTheContextWhatTellsMachinesApartAndNoNames) {
  const std::map<std::string, std::string> expected{{"num_cpus", "8"},
                                                    {"mhz_per_cpu", "2300"},
                                                    {"cpu_scaling_enabled", "false"},
                                                    {"library_build_type", "release"},
                                                    {"cache_L1_Data_bytes", "49152"},
                                                    {"cache_L2_Unified_bytes", "2097152"}};
  EXPECT_EQ(read(kGood).environment, expected) << "no host name, no date, no path, no load";
}

TEST(GoogleBenchmarkJson, OfAggregatesOnlyTakesTheMedianElseTheMean) {
  const auto aggregate = [](const std::string& name, double time) {
    return concat(R"({"name": "a_)", name,
                  R"(", "run_name": "a", "run_type": "aggregate", "repetitions": 7, "aggregate_name": ")",
                  name, R"(", "real_time": )", time, R"(, "time_unit": "us"})");
  };
  const Side both =
      read(rows(aggregate("mean", 8) + "," + aggregate("median", 5) + "," + aggregate("cv", 0.1)));
  ASSERT_EQ(both.cases.size(), 1U);
  EXPECT_DOUBLE_EQ(both.cases.at("a").launches_s.at(0), 5e-6);
  EXPECT_EQ(both.cases.at("a").visits_s.size(), 1U);
  EXPECT_EQ(both.cases.at("a").samples, 7);
  EXPECT_DOUBLE_EQ(
      read(rows(aggregate("stddev", 1) + "," + aggregate("mean", 8))).cases.at("a").launches_s.at(0), 8e-6);
  EXPECT_NE(refusal(rows(aggregate("stddev", 1))).find("no row with a time"), std::string::npos);
}

TEST(GoogleBenchmarkJson, OfOldVersionsTellsAggregatesByTheirNames) {
  const Side side = read(rows(
      R"({"name": "a_b", "real_time": 2, "time_unit": "s"},
           {"name": "a_b_mean", "real_time": 3, "time_unit": "s"})"));
  ASSERT_EQ(side.cases.size(), 1U);
  EXPECT_DOUBLE_EQ(side.cases.at("a_b").launches_s.at(0), 2.0);
}

TEST(GoogleBenchmarkJson, ReadsEveryUnit) {
  for (const auto& [unit, seconds] : {std::pair("ns", 1e-9), {"us", 1e-6}, {"ms", 1e-3}, {"s", 1.0}}) {
    const Side side = read(rows(concat(R"({"name": "a", "real_time": 3, "time_unit": ")", unit, "\"}")));
    EXPECT_DOUBLE_EQ(side.cases.at("a").visits_s.at(0), 3.0 * seconds) << unit;
  }
  EXPECT_NE(refusal(with(kGood, "\"ms\"", "\"h\""))
                .find(R"(benchmarks[3]: field 'time_unit' must be ns, us, ms or s, not "h")"),
            std::string::npos);
}

TEST(GoogleBenchmarkJson, NamesTheRowAndTheFieldThatIsWrong) {
  const auto expect = [](const std::string& what, const std::string& other, const std::string& words) {
    const std::string said = refusal(with(kGood, what, other));
    EXPECT_NE(said.find(words), std::string::npos) << said;
  };
  expect("4.0e+03", "NaN",
         "benchmarks[0]: field 'real_time' must be a finite time of 0 or more, not \"NaN\"");
  expect("4.0e+03", "Infinity", "benchmarks[0]: field 'real_time' must be a finite time");
  expect("4.0e+03", "-4.0", "benchmarks[0]: field 'real_time' must be a finite time of 0 or more, not -4.0");
  expect("4.0e+03", "\"4\"",
         "benchmarks[0]: field 'real_time' must be a finite time of 0 or more, not \"4\"");
  expect("4.0e+03", "1e999", "beyond the range");
  expect("\"real_time\": 1.5", "\"wall\": 1.5", "benchmarks[3]: field 'real_time' is missing");
  expect("\"name\": \"copy/manual_time\"", "\"name\": 7", "benchmarks[3]: field 'name' must be text, not 7");
  expect("\"iteration\"", "\"dance\"", "field 'run_type' must be iteration or aggregate, not \"dance\"");
  expect("\"error_occurred\": true", "\"error_occurred\": 1",
         "benchmarks[6]: field 'error_occurred' must be true or false");
  expect("640", "-640", "benchmarks[0]: field 'max_bytes_used' must be a size of 0 or more");
}

TEST(GoogleBenchmarkJson, RefusesWhatIsCutEmptyOrNotAList) {
  EXPECT_NE(refusal(kGood.substr(0, kGood.find("cpu_time"))).find("it stops being JSON in line 10"),
            std::string::npos);
  EXPECT_NE(refusal(rows("")).find("no row with a time"), std::string::npos);
  EXPECT_NE(refusal(R"({"benchmarks": {}})").find("field 'benchmarks' must be a list"), std::string::npos);
  EXPECT_NE(refusal(rows("3")).find("benchmarks[0]: field 'name' must be inside an object, not 3"),
            std::string::npos);
  EXPECT_NE(refusal(std::string(100'000, '[')).find("nested more than 64 levels"), std::string::npos)
      << "deep enough to end a stack";
}

TEST(GoogleBenchmarkJson, DamagedAtRandomIsReadOrRefused) {
  expect_read_or_refused(kGood, 11, read);
}

}  // namespace
}  // namespace bench::analysis
