// SPDX-License-Identifier: Apache-2.0
// hyperfine's exports, where every time is a process.
#include "analysis/compare/hyperfine_json.hpp"

#include <gtest/gtest.h>

#include "analysis/compare/foreign_json.hpp"
#include "tests/analysis/foreign_files.hpp"

namespace bench::analysis {
namespace {

// Two commands; the second runs once less, and under parameters.
const std::string kGood = R"({
  "results": [
    {"command": "sort big", "mean": 0.5, "stddev": 0.01, "median": 0.5, "user": 0.4, "system": 0.1,
     "times": [0.49, 0.5, 0.51], "memory_usage_byte": [1000, 3000, 2000], "exit_codes": [0, 0, 0]},
    {"command": "sort", "mean": 0.2, "stddev": null, "median": 0.2, "user": 0.1, "system": 0.1,
     "times": [0.25, 0.125], "exit_codes": [0, 0], "parameters": {"branch": "main", "n": "4"}}
  ]
})";
Side read(const std::string& text) {
  return hyperfine_side(parse_foreign(text));
}
std::string refusal(const std::string& text) {
  return refusal_of([&] { read(text); });
}

TEST(HyperfineJson, TakesEveryTimeAsALaunch) {
  const Side side = read(kGood);
  EXPECT_EQ(side.launches, 3) << "of the command with the most";
  EXPECT_TRUE(side.environment.empty());
  const Measured& big = side.cases.at("sort big");
  EXPECT_EQ(big.launches_s, (std::vector<double>{0.49, 0.5, 0.51}));
  EXPECT_EQ(big.visits_s, big.launches_s);
  EXPECT_EQ(big.samples, 3);
  EXPECT_EQ(big.peak_memory_bytes, 3000);
  EXPECT_EQ(big.outcome, Outcome::ok);
}

TEST(HyperfineJson, TellsCommandsApartByTheirParameters) {
  EXPECT_EQ(read(kGood).cases.at("sort [branch=main, n=4]").launches_s.size(), 2U);
  const std::string entry = R"({"command": "./a", "times": [1], "parameters": {"branch": "B"}})";
  const Side side =
      read(R"({"results": [)" + with(entry, "B", "main") + "," + with(entry, "B", "new") + "]}");
  EXPECT_EQ(side.cases.size(), 2U) << "--prepare 'git checkout {branch}' leaves no trace in the command";
}

TEST(HyperfineJson, TakesTheSameCommandAgainAsMoreLaunches) {
  const Side side =
      read(R"({"results": [{"command": "a", "times": [1]}, {"command": "a", "times": [2, 3]}]})");
  EXPECT_EQ(side.cases.at("a").launches_s, (std::vector<double>{1.0, 2.0, 3.0}));
}

TEST(HyperfineJson, TakesAFailingExitCodeAsACrash) {
  const Side side = read(with(kGood, "[0, 0, 0]", "[0, 3, 0]"));
  EXPECT_EQ(side.cases.at("sort big").outcome, Outcome::crashed);
  EXPECT_EQ(side.cases.at("sort big").reason, "run 2 of 3 ended with exit code 3");
  EXPECT_TRUE(side.cases.at("sort big").launches_s.empty());
  EXPECT_EQ(side.cases.at("sort big").samples, 0);
  EXPECT_EQ(side.cases.at("sort [branch=main, n=4]").outcome, Outcome::ok) << "its neighbour is well";
  EXPECT_EQ(read(with(kGood, "[0, 0, 0]", "[0, 0, null]")).cases.at("sort big").reason,
            "run 3 of 3 was ended by a signal");
}

TEST(HyperfineJson, WithoutTimesTakesTheMedianElseTheMean) {
  EXPECT_EQ(read(R"({"results": [{"command": "a", "mean": 3, "median": 2}]})").cases.at("a").launches_s,
            std::vector<double>{2.0});
  EXPECT_EQ(read(R"({"results": [{"command": "a", "mean": 3}]})").cases.at("a").launches_s,
            std::vector<double>{3.0});
  EXPECT_NE(refusal(R"({"results": [{"command": "a"}]})").find("results[0]: field 'times' is missing"),
            std::string::npos);
}

TEST(HyperfineJson, NamesTheEntryAndTheFieldThatIsWrong) {
  const auto expect = [](const std::string& what, const std::string& other, const std::string& words) {
    const std::string said = refusal(with(kGood, what, other));
    EXPECT_NE(said.find(words), std::string::npos) << said;
  };
  expect("0.125", "NaN", "results[1]: field 'times[1]' must be a finite time of 0 or more, not \"NaN\"");
  expect("0.125", "-0.125", "results[1]: field 'times[1]' must be a finite time of 0 or more, not -0.125");
  expect("[0.25, 0.125]", "[]", "results[1]: field 'times' must be a list of one time or more, not []");
  expect("[0.25, 0.125]", "0.25", "results[1]: field 'times' must be a list of one time or more, not 0.25");
  expect("[0, 0]", "[0, 0.5]", "results[1]: field 'exit_codes[1]' must be a whole number, not 0.5");
  expect("\"command\": \"sort\"", "\"command\": []", "results[1]: field 'command' must be text");
  expect(R"({"branch": "main", "n": "4"})", "[]", "results[1]: field 'parameters' must be an object");
  expect("3000", "-1", "results[0]: field 'memory_usage_byte' must be a size");
  EXPECT_NE(refusal(R"({"results": []})").find("field 'results' is empty"), std::string::npos);
  EXPECT_NE(refusal(R"({"results": 1})").find("field 'results' must be a list"), std::string::npos);
  EXPECT_NE(refusal(kGood.substr(0, 60)).find("it stops being JSON in line 3"), std::string::npos);
}

TEST(HyperfineJson, DamagedAtRandomIsReadOrRefused) {
  expect_read_or_refused(kGood, 12, read);
}

}  // namespace
}  // namespace bench::analysis
