// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare/policy.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace bench::analysis {
namespace {

/// Expects Error(usage) with all of `words` in its message.
void expect_refused(const std::string& text, const std::vector<std::string>& words) {
  try {
    parse_policy(text, "p.yaml");
    ADD_FAILURE() << "accepted: " << text;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    for (const std::string& word : words)
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << word << " in: " << error.what();
  }
}

std::string with(const std::string& lines) {
  return "schema_version: 1\n" + lines + "\n";
}

constexpr const char* kWhole = R"(schema_version: 1
margin: 0.01
alpha: 0.01
confidence: 0.99
correction: bh
min_launches: 6
worse_by: 0.05
abs_floor: 5us
allow_missing: true
allow_undecided: true
criteria:
  min_speedup: 1.2
  max_memory_increase: 0.05
  max_abs_diff: {fp32: 1e-5, bfloat16: 2e-2}
  max_perplexity_increase: 0
  max_convergence_ratio: 1.05
  gradient_norm: {min: 1e-6, max: 10}
overrides:
  - {match: "comm/*", worse_by: 0.15}
  - {match: "re:seq=(8|16)$", worse_by: 0.1, margin: 0.05}
bounds:
  - {match: "attention/flash*", value: 120, lo: -0.3, hi: 0.1, unit: us}
)";

TEST(Policy, ReadsEveryKey) {
  const Policy policy = parse_policy(kWhole, "p.yaml");
  const VerdictRule& rule = policy.compare.verdict;
  EXPECT_EQ(rule.margin, 0.01);
  EXPECT_EQ(rule.alpha, 0.01);
  EXPECT_EQ(rule.confidence, 0.99);
  EXPECT_EQ(rule.min_launches, 6);
  EXPECT_EQ(policy.compare.correction, Correction::benjamini_hochberg);
  EXPECT_EQ(policy.worse_by, 0.05);
  EXPECT_DOUBLE_EQ(policy.abs_floor_s, 5e-6);
  EXPECT_TRUE(policy.allow_missing && policy.allow_undecided);
  EXPECT_EQ(policy.criteria.min_speedup, 1.2);
  EXPECT_EQ(policy.criteria.max_memory_increase, 0.05);
  EXPECT_EQ(policy.criteria.max_perplexity_increase, 0.0);
  EXPECT_EQ(policy.criteria.max_convergence_ratio, 1.05);
  EXPECT_EQ(policy.criteria.max_abs_diff->by_dtype,
            (std::map<std::string, double>{{"bf16", 2e-2}, {"fp32", 1e-5}}));
  EXPECT_FALSE(policy.criteria.max_abs_diff->any);
  EXPECT_EQ(policy.criteria.gradient_norm->min, 1e-6);
  EXPECT_EQ(policy.criteria.gradient_norm->max, 10.0);
  ASSERT_EQ(policy.bounds.size(), 1U);
  EXPECT_EQ(policy.bounds[0].match, "attention/flash*");
  EXPECT_DOUBLE_EQ(policy.bounds[0].value_s, 120e-6);
  EXPECT_EQ(policy.bounds[0].lo, -0.3);
  EXPECT_EQ(policy.bounds[0].hi, 0.1);
}

TEST(Policy, NeedsOnlyItsVersion) {
  const Policy policy = parse_policy(with(""), "p.yaml");
  EXPECT_EQ(policy.worse_by, 0.03);
  EXPECT_EQ(policy.abs_floor_s, 0.0);
  EXPECT_FALSE(policy.allow_missing || policy.allow_undecided);
  EXPECT_EQ(policy.compare.verdict.min_launches, 3);
  EXPECT_TRUE(is_empty(policy.criteria));
  EXPECT_FALSE(is_empty(parse_policy(kWhole, "p.yaml").criteria));
}

TEST(Policy, OfTheOverridesThatFitTheLastWins) {
  const Policy policy = parse_policy(kWhole, "p.yaml");
  EXPECT_EQ(worse_by_of(policy, "attention/flash seq=512"), 0.05);
  EXPECT_EQ(worse_by_of(policy, "comm/ring seq=512"), 0.15);
  EXPECT_EQ(worse_by_of(policy, "comm/ring seq=16"), 0.1);
  EXPECT_EQ(margin_of(policy, "comm/ring seq=512"), 0.01) << "the first override has no margin";
  EXPECT_EQ(margin_of(policy, "comm/ring seq=16"), 0.05);
}

TEST(Policy, ReadsTimesWithUnits) {
  const auto floor_of = [](const char* text) {
    return parse_policy(with(std::string("abs_floor: ") + text), "p.yaml").abs_floor_s;
  };
  EXPECT_DOUBLE_EQ(floor_of("5us"), 5e-6);
  EXPECT_DOUBLE_EQ(floor_of("0.1 ms"), 1e-4);
  EXPECT_DOUBLE_EQ(floor_of("250ns"), 250e-9);
  EXPECT_DOUBLE_EQ(floor_of("2s"), 2.0);
  EXPECT_DOUBLE_EQ(floor_of("1e-6"), 1e-6) << "a bare number is seconds";
  EXPECT_EQ(floor_of("0"), 0.0);
}

TEST(Policy, ReadsErrorLimitsInThreeForms) {
  const auto limits_of = [](const char* text) {
    return *parse_policy(with(std::string("criteria: {max_abs_diff: ") + text + "}"), "p.yaml")
                .criteria.max_abs_diff;
  };
  EXPECT_EQ(limits_of("1e-3").any, 1e-3);
  EXPECT_EQ(limits_of("{fp64: 1e-12}").by_dtype.at("fp64"), 1e-12);
  const auto table = limits_of("default").by_dtype;
  EXPECT_EQ(table,
            (std::map<std::string, double>{{"fp32", 1e-5}, {"fp64", 1e-12}, {"bf16", 2e-2}, {"fp16", 2e-3}}));
}

TEST(Policy, RefusesUnknownKeysWithTheirPlaceAndTheNearestKey) {
  expect_refused(with("worse_bye: 0.1"),
                 {"p.yaml:2:1", "'worse_bye'", "in the policy", "did you mean 'worse_by'?"});
  expect_refused(with("criteria:\n  min_speed_up: 1.2"),
                 {"p.yaml:3:3", "in criteria", "did you mean 'min_speedup'?"});
  expect_refused(with("overrides:\n  - {match: a, worse: 1}"), {"p.yaml:3:", "overrides[0]", "'worse'"});
  expect_refused(with("bounds: [{match: a, value: 1, high: 2}]"), {"p.yaml:2:", "bounds[0]"});
  expect_refused(with("worse_by: 0.1\nworse_by: 0.2"), {"p.yaml:3:1", "stands twice"});
}

TEST(Policy, RefusesOtherVersionsAndNone) {
  expect_refused("schema_version: 2\n", {"p.yaml:1:", "version 1"});
  expect_refused("worse_by: 0.1\n", {"schema_version"});
  expect_refused("", {"p.yaml"});
  expect_refused("- a\n", {"p.yaml"});
}

TEST(Policy, RefusesWhatWouldSwitchTheGateOff) {
  for (const char* value : {"nan", ".nan", "inf", "-0.1", "11", "5 %", "many", "[1]", "''"})
    expect_refused(with(std::string("worse_by: ") + value), {"p.yaml:2:", "worse_by"});
  expect_refused(with("alpha: 0"), {"alpha = '0'", "between"});
  expect_refused(with("alpha: 0.6"), {"alpha"});
  expect_refused(with("min_launches: 2"), {"min_launches", "between 3 and 1000"});
  expect_refused(with("min_launches: 3.5"), {"whole number"});
  expect_refused(with("allow_missing: yes please"), {"allow_missing", "true or false"});
  expect_refused(with("correction: hulm"), {"did you mean 'holm'?"});
  for (const char* value : {"5 parsecs", "-1us", "us", "nan", "1e9"})
    expect_refused(with(std::string("abs_floor: ") + value), {"abs_floor", "5us"});
}

TEST(Policy, RefusesBoundsAndOverridesThatSayNothing) {
  expect_refused(with("bounds: [{match: a, value: 1}]"), {"neither lo nor hi"});
  expect_refused(with("bounds: [{match: a, value: 0, hi: 1}]"), {"bounds[0].value is 0"});
  expect_refused(with("bounds: [{match: a, value: 1, lo: 0.1}]"), {"bounds[0].lo", "between -1 and 0"});
  expect_refused(with("bounds: [{match: a, value: 1, hi: 0.1, unit: min}]"), {"'min'", "s, ms, us, ns"});
  expect_refused(with("bounds: [{value: 1, hi: 0.1}]"), {"'match' is missing"});
  expect_refused(with("overrides: [{match: a}]"), {"neither worse_by nor margin"});
  expect_refused(with("overrides: [{match: '', margin: 0.1}]"), {"is empty"});
  expect_refused(with("overrides: [{match: 're:(', margin: 0.1}]"), {"p.yaml:2:"});
  expect_refused(with("criteria: {gradient_norm: {}}"), {"neither min nor max"});
  expect_refused(with("criteria: {gradient_norm: {min: 2, max: 1}}"), {"above max"});
  expect_refused(with("criteria: {max_abs_diff: {fp33: 1}}"), {"fp33"});
  expect_refused(with("criteria: {max_abs_diff: {fp16: 1, half: 2}}"), {"stands above already"});
  expect_refused(with("criteria: {max_abs_diff: {}}"), {"is empty"});
}

TEST(Policy, ComesFromAFile) {
  const auto path = std::filesystem::temp_directory_path() / "bench_scale_policy_test.yaml";
  std::ofstream(path) << kWhole;
  EXPECT_EQ(load_policy(path.string()).worse_by, 0.05);
  std::filesystem::remove(path);
  EXPECT_THROW(load_policy(path.string()), Error);
  EXPECT_THROW(load_policy(std::filesystem::temp_directory_path().string()), Error) << "a folder";
}

}  // namespace
}  // namespace bench::analysis
