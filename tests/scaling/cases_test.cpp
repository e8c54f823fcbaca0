// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "scaling/feasibility.hpp"
#include "scaling/identity.hpp"
#include "scaling/plan.hpp"
#include "tests/scaling/toy_ops.hpp"

namespace bench::scaling {
namespace {

Study study_of(const std::string& sweeps) {
  return parse_study("schema_version: 1\nname: toy\nsweeps:\n" + sweeps, "s.yaml");
}

std::vector<Case> cases_of(const std::string& sweeps,
                           const Machine& machine = {.ranks = 4, .ranks_per_node = 4}) {
  return make_cases(study_of(sweeps), {}, machine);
}

const Case& only(const std::vector<Case>& cases) {
  EXPECT_EQ(cases.size(), 1u);
  return cases.at(0);
}

template <class Work>
std::string usage_message(const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage) << error.what();
    return error.what();
  }
  return {};
}
void expect_has(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in: " << text;
}

TEST(Cases, ACaseHoldsEveryParameterAndItsIdentityHasOpAndKernelToo) {
  const auto cases = cases_of("  - {op: toy_line, kernels: line/plain, axes: {seq: 512}}\n");
  const Case& c = only(cases);
  Params params = toy::toy_params();
  params["seq"] = std::int64_t{512};
  EXPECT_EQ(c.params, params);
  EXPECT_EQ(c.planned, Outcome::ok);
  EXPECT_EQ(c.sweeps, std::vector<std::string>{"toy/sweep1"});
  params["op"] = std::string("toy_line");
  params["kernel"] = std::string("line/plain");
  EXPECT_EQ(c.id, case_id(params));
}

TEST(Cases, EstimatesComeFromTheCostModel) {
  const auto cases = cases_of("  - {op: toy_line, kernels: line/ranks, axes: {seq: 1m, ranks: 2}}\n");
  const Case& c = only(cases);
  EXPECT_DOUBLE_EQ(c.cost.flops, 1048576.0);
  EXPECT_DOUBLE_EQ(c.estimate_s, 8.0 * 1048576.0 / 8e9 / 2.0 + 5e-6);  // bytes bind
  // x and out: 1 Mi * 8 fp32 each, half of it on each of two ranks; and both whole in fp64 for the check
  EXPECT_EQ(c.memory_bytes, (2 * 8 * 4 / 2 + 2 * 8 * 8) * 1048576);
}

TEST(Cases, OfASweepWithACrossoverSayWhatTheyAreHeldAgainst) {
  const auto cases = cases_of(
      "  - {name: line, op: toy_line, kernels: line/plain, axes: {seq: [256, 512]}, crossover: {against: pairs, along: seq}}\n"
      "  - {name: pairs, op: toy_pairs, kernels: toy/plain, axes: {seq: [256, 512]}}\n");
  ASSERT_EQ(cases.size(), 4u);
  for (const Case& c : cases)
    EXPECT_EQ(c.crossovers, c.op == "toy_line" ? std::vector<CrossoverTag>({{"toy/line", "toy/pairs", "seq"}}) : std::vector<CrossoverTag>{}) << c.op;
}

TEST(Cases, KernelsAreChosenByGlobAndSorted) {
  const auto cases = cases_of("  - {op: toy_pairs, kernels: [\"toy/*\"]}\n");
  std::vector<std::string> kernels;
  for (const Case& c : cases) kernels.push_back(c.kernel);
  EXPECT_EQ(kernels, (std::vector<std::string>{"toy/fancy", "toy/huge", "toy/plain", "toy/ring"}));
}

TEST(Cases, DuplicatesMergeAndKeepBothTags) {
  const auto cases = cases_of(
      "  - {name: a, op: toy_pairs, kernels: toy/ring, axes: {seq: [256, 512]}, baseline: toy/plain}\n"
      "  - {name: b, op: toy_pairs, kernels: toy/ring, axes: {seq: 512}, scaling: {mode: strong, ranks: [1, "
      "2]}}\n"
      "  - {name: c, op: toy_pairs, kernels: toy/ring, axes: {seq: 512}, scaling: {mode: weak, by: batch, "
      "ranks: [1, 2]}}\n");
  ASSERT_EQ(cases.size(), 4u);  // 256 and 512 on one rank, strong on two, weak on two
  const auto shared = std::ranges::find_if(
      cases, [](const Case& c) { return c.ranks == 1 && get_int(c.params, "seq") == 512; });
  EXPECT_EQ(shared->sweeps, (std::vector<std::string>{"toy/a", "toy/b", "toy/c"}));
  ASSERT_EQ(shared->scaling.size(), 2u);
  EXPECT_EQ(shared->scaling[0].mode, "strong");
  EXPECT_EQ(shared->scaling[1].by, "batch");
  EXPECT_EQ(shared->baseline, "toy/plain");
  for (const Case& c : cases)
    for (const ScalingTag& tag : c.scaling)
      EXPECT_EQ(tag.series, shared->id);  // the curve is named by its one-rank case
}

TEST(Cases, IdsDoNotDependOnTheMachineOrTheOrder) {
  const std::string a =
      "  - {name: a, op: toy_pairs, kernels: toy/ring, axes: {seq: [256, 512], causal: [true, false]}, "
      "scaling: {mode: weak, by: flops, ranks: [1, 2, 4]}}\n";
  const std::string b = "  - {name: b, op: toy_line, kernels: [line/plain, line/ranks], axes: {seq: 64}}\n";
  const auto ids = [](const std::vector<Case>& cases) {
    std::set<std::string> set;
    for (const Case& c : cases) set.insert(c.id);
    return set;
  };
  const auto reference = ids(cases_of(a + b, {.ranks = 1}));
  EXPECT_EQ(reference.size(), 2u * 2u * 3u + 2u);
  for (const std::int64_t np : {2, 3, 8})
    EXPECT_EQ(ids(cases_of(b + a, {.ranks = np, .ranks_per_node = 2})), reference) << np;
}

TEST(Cases, TooFewRanksIsARowAndNotSilence) {
  const auto cases =
      cases_of("  - {op: toy_pairs, kernels: toy/ring, scaling: {mode: strong, ranks: [1, 2, 4]}}\n",
               {.ranks = 2, .ranks_per_node = 2});
  ASSERT_EQ(cases.size(), 3u);
  EXPECT_EQ(cases[1].planned, Outcome::ok);
  EXPECT_EQ(cases[2].planned, Outcome::infeasible);
  EXPECT_EQ(cases[2].reason, "needs 4 ranks, this run has 2");
}

TEST(Cases, TooLittleMemoryIsARowWithBothFigures) {
  const std::string sweep = "  - {op: toy_pairs, kernels: [toy/huge, toy/plain]}\n";
  Machine machine{.ranks = 1, .memory_bytes_per_node = std::int64_t{10} << 30};
  auto cases = cases_of(sweep, machine);
  EXPECT_EQ(cases[0].planned, Outcome::infeasible);
  EXPECT_EQ(cases[0].reason, "needs 100 GiB a rank, a rank can have 9 GiB");
  EXPECT_EQ(cases[1].planned, Outcome::ok);
  machine.memory_bytes_per_node = 0;  // unknown
  EXPECT_EQ(cases_of(sweep, machine)[0].planned, Outcome::ok);
}

TEST(Cases, RanksOfANodeShareItsMemory) {
  // 64 Mi tokens: the fp64 copies alone are 2 * 8 * 8 * 64 Mi = 8 GiB on every rank; 2 GiB of shares on two
  // ranks, 1 GiB on four.
  const std::string sweep = "  - {op: toy_pairs, kernels: toy/ring, axes: {seq: 64m, ranks: [2, 4]}}\n";
  const auto one_node =
      cases_of(sweep, {.ranks = 4, .ranks_per_node = 4, .memory_bytes_per_node = std::int64_t{24} << 30});
  EXPECT_EQ(one_node[0].planned, Outcome::ok);          // 2 x 10 GiB of 21.6
  EXPECT_EQ(one_node[1].planned, Outcome::infeasible);  // 4 x 9 GiB of 21.6
  const auto four_nodes =
      cases_of(sweep, {.ranks = 4, .ranks_per_node = 1, .memory_bytes_per_node = std::int64_t{24} << 30});
  EXPECT_EQ(four_nodes[1].planned, Outcome::ok);
}

TEST(Cases, AnAbsurdSizeIsInfeasibleAndNoOverflow) {
  const auto cases =
      cases_of("  - {op: toy_line, kernels: line/plain, axes: {seq: 1000000g, width: 1000000g}}\n");
  EXPECT_EQ(only(cases).planned, Outcome::infeasible);
  expect_has(only(cases).reason, "more than can be addressed");
}

TEST(Cases, WhatTheKernelRefusesIsSkippedWithItsReason) {
  const auto cases = cases_of(
      "  - {op: toy_pairs, kernels: toy/fancy, axes: {causal: [true, false], dtype: [fp32, fp64]}}\n");
  std::map<std::string, int> reasons;
  for (const Case& c : cases) {
    EXPECT_EQ(c.planned, c.reason.empty() ? Outcome::ok : Outcome::skipped);
    ++reasons[c.reason];
  }
  EXPECT_EQ(reasons, (std::map<std::string, int>{
                         {"", 1}, {"fancy knows no causal mask", 1}, {"this kernel has no fp64", 2}}));
}

TEST(Cases, AOneRankKernelTakesPartInScalingOnOneRankOnly) {
  auto cases = cases_of(
      "  - {op: toy_pairs, kernels: [toy/plain, toy/ring], scaling: {mode: strong, ranks: [1, 2, 4]}}\n");
  EXPECT_EQ(std::ranges::count(cases, "toy/plain", &Case::kernel), 1);
  EXPECT_EQ(std::ranges::count(cases, "toy/ring", &Case::kernel), 3);
  EXPECT_EQ(cases[0].planned, Outcome::ok);
  EXPECT_TRUE(cases[0].scaling.empty());
  cases = cases_of("  - {op: toy_pairs, kernels: toy/plain, scaling: {mode: strong, ranks: [2, 4]}}\n");
  EXPECT_EQ(only(cases).reason, "this kernel runs on one rank, not on 2");  // never silence
  cases = cases_of("  - {op: toy_pairs, kernels: toy/plain, axes: {ranks: 2}}\n");
  EXPECT_EQ(only(cases).planned, Outcome::skipped);
}

TEST(Cases, WeakPointsGrowAndStrongOnesDoNot) {
  const auto cases = cases_of(
      "  - {op: toy_pairs, kernels: toy/ring, axes: {seq: 2048}, scaling: {mode: weak, by: flops, ranks: [1, "
      "2, 4]}}\n");
  std::vector<std::int64_t> lengths;
  for (const Case& c : cases) lengths.push_back(get_int(c.params, "seq"));
  EXPECT_EQ(lengths, (std::vector<std::int64_t>{2048, 2880, 4096}));
}

TEST(Cases, AMissingKernelIsARowWithItsReason) {
  const Study study = study_of(
      "  - {op: toy_pairs, kernels: [toy/plain, \"toy/*_torch\"], axes: {seq: [1, 2]}}\n"
      "  - {name: rings, op: toy_pairs, kernels: toy/toy_pairs_torch, scaling: {mode: strong, ranks: [1, "
      "2]}}\n");
  const auto cases = make_cases(
      study,
      {{"toy/toy_pairs_torch", "built without LibTorch"}, {"toy/toy_line_torch", "built without LibTorch"}},
      {});
  ASSERT_EQ(std::ranges::count(cases, "toy/toy_pairs_torch", &Case::kernel), 3);  // 1, 2 and the default 256
  EXPECT_EQ(std::ranges::count(cases, "toy/toy_line_torch", &Case::kernel),
            0);  // another op's, as its name tells
  for (const Case& c : cases) {
    if (c.kernel != "toy/toy_pairs_torch") continue;
    EXPECT_EQ(c.planned, Outcome::skipped);
    EXPECT_EQ(c.reason, "built without LibTorch");
  }
}

TEST(Cases, ADroppedPointIsOneRowWithItsClause) {
  const auto cases = cases_of(
      "  - {op: toy_pairs, kernels: [toy/plain, toy/ring], axes: {seq: [1, 2, 3]}, where: [\"seq != 2\"], "
      "except: [\"seq > 2\"]}\n");
  std::map<std::string, int> reasons;
  for (const Case& c : cases) ++reasons[c.reason];
  EXPECT_EQ(reasons, (std::map<std::string, int>{{"", 2}, {"where: seq != 2", 1}, {"except: seq > 2", 1}}));
  for (const Case& c : cases) EXPECT_EQ(c.planned, c.reason.empty() ? Outcome::ok : Outcome::skipped);
}

TEST(Cases, ASweepThatWantsACaseOverrulesOneThatDropsIt) {
  const std::string drops =
      "  - {name: a, op: toy_line, kernels: line/plain, axes: {seq: [1, 2]}, where: [\"seq > 1\"]}\n";
  const std::string wants = "  - {name: b, op: toy_line, kernels: line/plain, axes: {seq: 1}}\n";
  for (const std::string& order : {drops + wants, wants + drops}) {
    const auto cases = cases_of(order);
    ASSERT_EQ(cases.size(), 2u);
    for (const Case& c : cases) EXPECT_EQ(c.planned, Outcome::ok) << c.reason;
    const auto both =
        std::ranges::find_if(cases, [](const Case& c) { return get_int(c.params, "seq") == 1; });
    EXPECT_EQ(both->sweeps.size(), 2u);
  }
}

TEST(Cases, UnknownKernelsNameTheNearest) {
  const auto message = [](const std::string& sweep) { return usage_message([&] { cases_of(sweep); }); };
  expect_has(message("  - {op: toy_pairs, kernels: toy/plian}\n"),
             "sweep 'sweep1': no kernel of op 'toy_pairs' is called 'toy/plian'; did you mean 'toy/plain'?");
  expect_has(message("  - {op: toy_pairs, kernels: \"nothing/*\"}\n"),
             "no kernel of op 'toy_pairs' is called 'nothing/*'; known: toy/fancy");
  expect_has(message("  - {op: toy_pairs, kernels: line/plain}\n"), "'line/plain' belongs to op 'toy_line'");
  expect_has(message("  - {op: toy_pairs, kernels: toy/plain, baseline: toy/plane}\n"),
             "did you mean 'toy/plain'?");
  Study study = study_of("  - {op: toy_pairs, kernels: toy/plain}\n");
  study.filter.only = {"toy/rnig"};
  expect_has(usage_message([&] { make_cases(study, {}, {}); }),
             "no kernel is called 'toy/rnig'; did you mean 'toy/ring'?");
}

TEST(Cases, AValueTheOpRefusesNamesSweepAndPoint) {
  const std::string message = usage_message(
      [] { cases_of("  - {name: bad, op: toy_line, kernels: line/plain, axes: {seq: [1, 0]}}\n"); });
  expect_has(message, "sweep 'bad': at batch=1, causal=false, dtype=fp32");
  expect_has(message, "seq = 0; allowed: 1 or more");
}

TEST(NominalTime, OfADevicesKernelIsThatOfADevice) {
  const Cost cost{.flops = 5e12, .bytes = 1e9, .exps = 1e9};  // attention of 16k tokens and 2048 columns, about
  EXPECT_DOUBLE_EQ(nominal_time_s(cost, 1, Backend::cpu), 250.0 + 5e-6);
  EXPECT_DOUBLE_EQ(nominal_time_s(cost, 1, Backend::cuda), 0.1 + 1e-5) << "an hour's limit for a visit would let a kernel hang for an hour";
}

}  // namespace
}  // namespace bench::scaling
