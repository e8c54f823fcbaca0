// SPDX-License-Identifier: Apache-2.0
// Scaling studies are views over cases: what they generate, how they are named, and that no case is made
// twice.
#include <gtest/gtest.h>

#include <algorithm>

#include "scaling/parameters.hpp"
#include "scaling/plan.hpp"
#include "scaling/sweep.hpp"
#include "scaling/tasks.hpp"
#include "scaling/weak.hpp"
#include "tests/scaling/toy_ops.hpp"

namespace bench::scaling {
namespace {

const Machine kEight{.ranks = 8, .ranks_per_node = 8};  // eight: the widest point below fits exactly

Study study_of(const std::string& sweeps) {
  return parse_study("schema_version: 1\nname: views\nsweeps:\n" + sweeps, "v.yaml");
}

std::vector<Case> cases_of(const std::string& sweeps, const Machine& machine = kEight) {
  return make_cases(study_of(sweeps), {}, machine);
}

std::string fault_of(const std::string& scaling) {
  try {
    study_of("  - {op: toy_pairs, kernels: toy/ring, scaling: " + scaling + "}\n");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return {};
}

const Case& on_ranks(const std::vector<Case>& cases, std::int64_t ranks) {
  const auto it = std::ranges::find(cases, ranks, &Case::ranks);
  if (it == cases.end()) throw Error(ErrorKind::internal, concat("no case on ", ranks, " ranks"));
  return *it;
}

TEST(Views, HaveTheSameWordsOnTheCommandLineAndInAStudy) {
  for (const std::string& word : scaling_words()) {
    const ScalingSpec parsed = parse_scaling(word);
    EXPECT_EQ(scaling_word(parsed.mode, parsed.by), word);
    const Study study = study_of("  - {op: toy_pairs, kernels: toy/ring, scaling: {mode: \"" + word +
                                 "\", ranks: 1..4*2}}\n");
    EXPECT_EQ(study.sweeps[0].scaling->mode, parsed.mode);
    EXPECT_EQ(study.sweeps[0].scaling->by, parsed.by);
    EXPECT_EQ(to_yaml(parse_study(to_yaml(study), "again")), to_yaml(study));
  }
  const Study two_keys = study_of(
      "  - {op: toy_pairs, kernels: toy/ring, scaling: {mode: weak, by: flops, ranks: 2, base: 2}}\n");
  EXPECT_EQ(two_keys.sweeps[0].scaling->by, "flops");
  EXPECT_EQ(two_keys.sweeps[0].scaling->base, 2);
  EXPECT_EQ(parse_study(to_yaml(two_keys), "again").sweeps[0].scaling->base, 2);
}

TEST(Views, MistakesAreNamedWithWhatIsAllowed) {
  EXPECT_NE(fault_of("{mode: \"weak:token\", ranks: 1}").find("did you mean 'weak:tokens'?"),
            std::string::npos);
  EXPECT_NE(fault_of("{mode: troughput, ranks: 1}").find("did you mean 'throughput'?"), std::string::npos);
  EXPECT_NE(fault_of("{mode: throughput, by: batch, ranks: 1}").find("belongs to mode weak"),
            std::string::npos);
  EXPECT_NE(fault_of("{mode: \"weak:flops\", by: batch, ranks: 1}").find("'by' stands twice"),
            std::string::npos);
  EXPECT_NE(fault_of("{mode: strong, ranks: 1, base: 0}").find("allowed: integers from 1"),
            std::string::npos);
  EXPECT_NE(fault_of("{mode: strong, ranks: 1, base: 1..4*2}").find("one rank count"), std::string::npos);
  EXPECT_NE(
      fault_of("{mode: strong, ranks: 1}, fixed: {replicas: 2}").find("'replicas' is set by the scaling"),
      std::string::npos);
}

TEST(Views, ThroughputIsACopyOfTheOneRankCaseOnEveryRank) {
  const auto cases = cases_of(
      "  - {op: toy_pairs, kernels: toy/plain, fixed: {seq: 512}, scaling: {mode: throughput, ranks: "
      "1..8*2}}\n");
  ASSERT_EQ(cases.size(), 4u);
  for (const Case& c : cases) {
    EXPECT_EQ(c.planned, Outcome::ok) << c.reason;
    EXPECT_EQ(get_int(c.params, "ranks"), 1) << "each copy is a problem of one rank";
    EXPECT_EQ(replicas_of(c.params), c.ranks);
    EXPECT_DOUBLE_EQ(c.cost.flops, 512.0 * 512.0 * static_cast<double>(c.ranks)) << "the work of all copies";
    EXPECT_EQ(c.memory_bytes, cases[0].memory_bytes) << "a rank holds one copy";
    ASSERT_EQ(c.scaling.size(), 1u);
    EXPECT_EQ(c.scaling[0].mode, "throughput");
    EXPECT_EQ(c.scaling[0].series, cases[0].id);
  }
  EXPECT_FALSE(cases[0].params.contains("replicas")) << "one copy is the plain case";
}

TEST(Views, WiderThanTheMachineIsARowWithItsReason) {
  const auto cases =
      cases_of("  - {op: toy_pairs, kernels: toy/plain, scaling: {mode: throughput, ranks: [1, 4]}}\n",
               {.ranks = 2, .ranks_per_node = 2});
  EXPECT_EQ(on_ranks(cases, 4).planned, Outcome::infeasible);
  EXPECT_EQ(on_ranks(cases, 4).reason, "needs 4 ranks, this run has 2");
}

TEST(Views, ReplicasOfACaseOnSeveralRanksAreSkippedWithTheReason) {
  const auto cases = cases_of("  - {op: toy_pairs, kernels: toy/ring, fixed: {ranks: 4, replicas: 2}}\n");
  ASSERT_EQ(cases.size(), 1u);
  EXPECT_EQ(cases[0].planned, Outcome::skipped);
  EXPECT_NE(cases[0].reason.find("ranks = 4"), std::string::npos) << cases[0].reason;
}

/// A case of several views is one case, planned and therefore measured once per round, and carries every
/// view's tag.
TEST(Views, ACaseOfSeveralStudiesIsMeasuredOnce) {
  const std::string all =
      "  - {name: s, op: toy_pairs, kernels: toy/ring, fixed: {seq: 512}, scaling: {mode: strong, ranks: [1, "
      "2, 4]}}\n"
      "  - {name: w, op: toy_pairs, kernels: toy/ring, fixed: {seq: 512}, scaling: {mode: \"weak:batch\", "
      "ranks: [1, 2, 4]}}\n"
      "  - {name: t, op: toy_pairs, kernels: toy/ring, fixed: {seq: 512}, scaling: {mode: throughput, ranks: "
      "[1, 2, 4]}}\n"
      "  - {name: b, op: toy_pairs, kernels: toy/ring, fixed: {seq: 512}, scaling: {mode: strong, ranks: [2, "
      "4], base: 2}}\n";
  const Study study = study_of(all);
  const auto cases = make_cases(study, {}, kEight);
  // One rank: shared by s, w and t. Two and four: s and b share theirs, w and t have their own.
  ASSERT_EQ(cases.size(), 1u + 2u * 3u);
  const Case& shared = on_ranks(cases, 1);
  ASSERT_EQ(shared.scaling.size(), 3u);
  const auto pair = std::ranges::find_if(cases, [](const Case& c) { return c.scaling.size() == 2; });
  ASSERT_NE(pair, cases.end());
  EXPECT_EQ(pair->scaling[0].base, 0);
  EXPECT_EQ(pair->scaling[1].base, 2);
  const Plan plan = make_plan(study, cases, kEight);
  std::vector<std::int64_t> visits(cases.size(), 0);
  for (const Task& task : make_tasks(plan)) ++visits[static_cast<std::size_t>(task.case_index)];
  for (const std::int64_t n : visits) EXPECT_EQ(n, study.run.scaling_visits) << "not once per view";
}

TEST(Views, ThroughputFromTheCommandLineTakesEveryKernel) {
  Study study = study_of(
      "  - {op: toy_pairs, kernels: toy/plain, axes: {ranks: 1}}\n  - {op: toy_line, kernels: line/ranks}\n");
  apply_overrides(study, {.scaling = ScalingSpec{.mode = "throughput", .by = "", .ranks = {2, 1}}});
  for (const Sweep& sweep : study.sweeps) EXPECT_EQ(sweep.scaling->ranks, (std::vector<std::int64_t>{1, 2}));
}

TEST(Views, TheBaseFromTheCommandLineGoesToEveryScaling) {
  Study study = study_of(
      "  - {op: toy_pairs, kernels: toy/ring, scaling: {mode: strong, ranks: [1, 2]}}\n  - {op: toy_line, "
      "kernels: line/ranks}\n");
  apply_overrides(study, {.base = 2});
  EXPECT_EQ(study.sweeps[0].scaling->base, 2);
  EXPECT_FALSE(study.sweeps[1].scaling.has_value());
  Study none = study_of("  - {op: toy_line, kernels: line/ranks}\n");
  EXPECT_THROW(apply_overrides(none, {.base = 2}), Error);
}

}  // namespace
}  // namespace bench::scaling
