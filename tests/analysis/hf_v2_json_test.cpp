// SPDX-License-Identifier: Apache-2.0
// benchmark_v2's files, as its README has them and as it writes them.
#include "analysis/compare/hf_v2_json.hpp"

#include <gtest/gtest.h>

#include "analysis/compare/foreign_json.hpp"
#include "tests/analysis/foreign_files.hpp"

namespace bench::analysis {
namespace {

const std::string kReadme = R"({
  "model_name": "tiny",
  "benchmark_scenarios": [
    {"scenario_name": "eager",
     "metadata": {"timestamp": "2025-01-01T00:00:00", "commit_id": "abc",
       "hardware_info": {"gpu_name": "A100", "gpu_memory_total": 40960, "cpu_count": 64, "cuda": null},
       "config": {"variant": "eager", "measurement_iterations": 5}},
     "measurements": {"latency": {"mean": 2.45, "median": 2.5, "std": 0.12, "p95": 2.61},
       "time_to_first_token": {"mean": 0.125}, "tokens_per_second": {"mean": 87.5, "unit": "tokens/sec"}},
     "gpu_metrics": {"gpu_utilization_mean": 85.2, "gpu_memory_used_mean": 100, "gpu_memory_used_max": 128}},
    {"scenario_name": "compiled", "measurements": {"latency": {"mean": 3.0, "measurements": [1.0, 4.0]}}}
  ]
})";
// Two runs that worked and one that did not; lists without figures.
const std::string kToday = R"({
  "aaaaaaaa11": {
    "metadata": {"model_id": "org/tiny", "commit_id": "abc", "success": true,
      "hardware_info": {"gpu_name": "H100", "torch_version": "2.9"}},
    "measurements": {"e2e_latency": [2.0, 8.0, 4.0], "time_to_first_token": [0.25, 0.5, 0.125],
      "inter_token_latency": [0.01, 0.03, 0.02], "shape_and_decoded_outputs": ["(1, 2) | a"],
      "gpu_metrics": [{"utilization": [90], "memory_used": [1.5, 2.0]}], "timestamps": null},
    "config": {"name": "eager", "batch_size": 1, "measurement_iterations": 3}},
  "bbbbbbbb22": {
    "metadata": {"model_id": "org/tiny", "success": false,
      "hardware_info": {"gpu_name": "H100", "torch_version": "2.9"}},
    "measurements": {"e2e_latency": [], "time_to_first_token": [], "inter_token_latency": [],
      "gpu_metrics": null, "timestamps": null},
    "config": {"name": "flex"}}
})";
Side read(const std::string& text) {
  return hf_v2_side(parse_foreign(text));
}
std::string refusal(const std::string& text) {
  return refusal_of([&] { read(text); });
}

TEST(HfV2Json, OfFiguresAloneTakesTheMedianAsOneVisit) {
  const Side side = read(kReadme);
  EXPECT_EQ(side.launches, 1);
  const Measured& eager = side.cases.at("tiny/eager");
  EXPECT_EQ(eager.visits_s, std::vector<double>{2.5});
  EXPECT_DOUBLE_EQ(eager.launches_s.at(0), 2.5);
  EXPECT_EQ(eager.samples, 5) << "the iterations its config names";
  EXPECT_EQ(eager.metrics,
            (std::map<std::string, double>{{"time_to_first_token_s", 0.125}, {"tokens_per_second", 87.5}}));
  EXPECT_EQ(eager.peak_memory_bytes, 128 << 20) << "the most, in MiB";
  EXPECT_DOUBLE_EQ(read(with(kReadme, "\"median\": 2.5, ", "")).cases.at("tiny/eager").launches_s.at(0), 2.45)
      << "the mean";
}

TEST(HfV2Json, TakesRawLatenciesAsVisitsOfOneLaunch) {
  const Measured compiled = read(kReadme).cases.at("tiny/compiled");
  EXPECT_EQ(compiled.visits_s, (std::vector<double>{1.0, 4.0}));
  EXPECT_NEAR(compiled.launches_s.at(0), 2.0, 1e-15) << "geometric";
  const Measured eager = read(kToday).cases.at("org/tiny/eager");
  EXPECT_EQ(eager.visits_s, (std::vector<double>{2.0, 8.0, 4.0}));
  ASSERT_EQ(eager.launches_s.size(), 1U);
  EXPECT_NEAR(eager.launches_s[0], 4.0, 1e-15);
  EXPECT_EQ(eager.samples, 3);
  EXPECT_DOUBLE_EQ(eager.metrics.at("time_to_first_token_s"), 0.25) << "the median";
  EXPECT_DOUBLE_EQ(eager.metrics.at("inter_token_latency_s"), 0.02);
  EXPECT_EQ(eager.peak_memory_bytes, std::int64_t{2} << 30) << "the highest sample, in GiB";
}

TEST(HfV2Json, TakesAScenarioWithoutSuccessAsACrash) {
  const Measured flex = read(kToday).cases.at("org/tiny/flex");
  EXPECT_EQ(flex.outcome, Outcome::crashed);
  EXPECT_EQ(flex.reason, "its metadata says success: false");
  EXPECT_TRUE(flex.launches_s.empty());
}

TEST(HfV2Json, KeepsTheHardwareAndNeitherTimeNorCommit) {
  const std::map<std::string, std::string> readme{
      {"gpu_name", "A100"}, {"gpu_memory_total", "40960"}, {"cpu_count", "64"}};
  EXPECT_EQ(read(kReadme).environment, readme);
  EXPECT_EQ(read(kToday).environment,
            (std::map<std::string, std::string>{{"gpu_name", "H100"}, {"torch_version", "2.9"}}));
}

TEST(HfV2Json, TellsConfigsThatShareANameApartByTheirHash) {
  const Side side = read(with(kToday, "\"flex\"", "\"eager\""));
  EXPECT_TRUE(side.cases.contains("org/tiny/eager #aaaaaaaa"));
  EXPECT_TRUE(side.cases.contains("org/tiny/eager #bbbbbbbb"));
}

TEST(HfV2Json, NamesTheScenarioAndTheFieldThatIsWrong) {
  const auto expect = [](const std::string& good, const std::string& what, const std::string& other,
                         const std::string& words) {
    const std::string said = refusal(with(good, what, other));
    EXPECT_NE(said.find(words), std::string::npos) << said;
  };
  expect(kReadme, "2.5", "NaN",
         "benchmark_scenarios[0]: field 'latency.median' must be a finite time of 0 or more, not \"NaN\"");
  expect(kReadme, "[1.0, 4.0]", "[]",
         "benchmark_scenarios[1]: field 'latency.measurements' must be a list of one time or more");
  expect(kReadme, "\"latency\"", "\"delay\"", "benchmark_scenarios[0]: field 'latency' has no times");
  expect(kReadme, "\"scenario_name\": \"eager\"", "\"scenario_name\": 1",
         "benchmark_scenarios[0]: field 'scenario_name' must be text");
  expect(kReadme, "\"compiled\"", "\"eager\"", "benchmark_scenarios[1]: there is a second 'tiny/eager'");
  expect(kReadme, "\"model_name\"", "\"model\"", "field 'model_name' is missing");
  expect(kReadme, "128", "-128", "benchmark_scenarios[0]: field 'gpu_memory_used_max' must be a size");
  expect(kToday, "8.0", "-8.0",
         "aaaaaaaa11: field 'e2e_latency[1]' must be a finite time of 0 or more, not -8.0");
  expect(kToday, "[2.0, 8.0, 4.0]", "[]", "aaaaaaaa11: field 'e2e_latency' has no times");
  expect(kToday, "[2.0, 8.0, 4.0]", "\"2\"", "aaaaaaaa11: field 'e2e_latency' must be a list or an object");
  expect(kToday, "\"success\": true", "\"success\": 1", "aaaaaaaa11: field 'success' must be true or false");
  expect(kToday, "\"model_id\"", "\"model\"", "aaaaaaaa11: field 'model_id' is missing");
  EXPECT_NE(
      refusal(R"({"model_name": "m", "benchmark_scenarios": []})").find("'benchmark_scenarios' is empty"),
      std::string::npos);
  EXPECT_NE(refusal(kToday.substr(0, 60)).find("it stops being JSON in line 3"), std::string::npos);
}

TEST(HfV2Json, DamagedAtRandomIsReadOrRefused) {
  expect_read_or_refused(kReadme, 13, read);
  expect_read_or_refused(kToday, 14, read);
}

}  // namespace
}  // namespace bench::analysis
