// SPDX-License-Identifier: Apache-2.0
// The device's decode kernel, run on the host thread by thread and held against the fp64 oracle; and how it cuts sequences.
#include "kernels/decode/paged_body.hpp"

#include <gtest/gtest.h>

#include "kernels/inputs.hpp"
#include "tests/support/host_machine.hpp"
#include "tests/support/run_case.hpp"

namespace bench::decode {
namespace {

using support::HostMachine;

/// Split into spans of `span` tokens; one split where it covers all.
template <class T, int kDim, int kGroup>
void expect_the_oracles_answer(const Params& changes, std::int64_t span) {
  const Op& op = support::find_op("decode");
  Params params = default_params(op);
  for (const auto& [name, value] : changes) params[name] = value;
  const auto problem = op.parse(params);
  const auto& p = problem_as<DecodeProblem>(*problem);
  Tensors inputs = support::make_inputs(op, p, 1);
  Tensors outputs;
  for (const TensorSpec& spec : op.outputs(p)) poison(outputs.add(spec.name, Tensor(spec.dtype, spec.shape)));
  const auto table = block_table(p);
  const auto all = sequence_lengths(p);
  const std::vector<std::int32_t> lengths(all.begin(), all.end());
  const std::int64_t splits = ceil_div(p.seq, span);
  std::vector<float> part_out(static_cast<std::size_t>(p.batch * p.heads * splits * p.head_dim)), part_lse(static_cast<std::size_t>(p.batch * p.heads * splits));
  PagedJob job = paged_job(p, {splits, span});
  job.q = inputs["q"].data();
  job.k = inputs["k_cache"].data();
  job.v = inputs["v_cache"].data();
  job.out = outputs["out"].data();
  job.lse = outputs["lse"].as<float>();
  job.table = table.data();
  job.lengths = lengths.data();
  job.part_out = part_out.data();
  job.part_lse = part_lse.data();
  using Split = PagedSplit<HostMachine, T, kDim, kGroup>;
  support::run_blocks(Split::blocks(job), Split::kThreads, Split::kSharedBytes, 1, [&] { Split(job).run(); });
  using Merge = PagedMerge<HostMachine, T>;
  if (splits > 1) support::run_blocks(job.batch * job.heads, Merge::kThreads, 0, 1, [&] { Merge::run(job); });
  for (const auto& error : support::compare(support::find_kernel("decode/naive_cpu"), op, p, inputs, outputs)) EXPECT_LE(error.error, error.tolerance) << error.text();
}

Params shape(std::int64_t seq, std::int64_t heads, std::int64_t kv_heads) {
  return {{"batch", std::int64_t{2}}, {"seq", seq}, {"heads", heads}, {"kv_heads", kv_heads}, {"dtype", std::string("bf16")}};
}

TEST(PagedBody, EqualsTheOracleAtEveryEdgeOfASpan) {
  for (const std::int64_t seq : {1, 15, 16, 17, 63, 64, 65, 129})  // pages of 16, rounds of 64 tokens
    for (const std::int64_t span : {64, 1024}) {
      SCOPED_TRACE(concat("L ", seq, " span ", span));
      expect_the_oracles_answer<Bf16, 64, 1>(shape(seq, 2, 2), span);
    }
}

TEST(PagedBody, TakesGroupsOfEverySize) {
  expect_the_oracles_answer<Bf16, 64, 4>(shape(100, 3, 1), 64);
  expect_the_oracles_answer<Bf16, 64, 8>(shape(100, 8, 1), 64);
  expect_the_oracles_answer<Bf16, 64, 8>(shape(100, 22, 2), 128);  // 11 heads: a chunk of 8 and one of 3
}

TEST(PagedBody, TakesEveryHeadDimensionAndPage) {
  for (const std::int64_t head_dim : {8, 72, 128}) {
    Params changes = shape(90, 4, 2);
    changes["head_dim"] = head_dim;
    changes["page"] = std::int64_t{32};
    expect_the_oracles_answer<Bf16, 128, 4>(changes, 64);
  }
  Params changes = shape(90, 4, 2);
  changes["head_dim"] = std::int64_t{256};
  changes["dtype"] = std::string("fp16");
  expect_the_oracles_answer<F16, 256, 4>(changes, 64);
}

TEST(PagedBody, ReadsNothingBehindASequencesEnd) {
  Params changes = shape(200, 4, 2);
  changes["batch"] = std::int64_t{4};
  changes["lengths"] = std::string("ragged");
  expect_the_oracles_answer<Bf16, 64, 4>(changes, 64);  // spans that begin behind the end, too
}

TEST(PlanSplits, FillsTheDeviceWithTheFewestSpans) {
  EXPECT_EQ(plan_splits(1000, 8192, 500).splits, 1) << "two full waves need no cut";
  const SplitPlan few = plan_splits(8, 65536, 528);
  EXPECT_GE(few.splits * 8, 400) << "eight blocks would leave most of 528 places empty";
  EXPECT_LE(few.splits * 8, 528);
  EXPECT_EQ(plan_splits(8, 200, 528).splits, 1) << "a span is not worth its start";
}

TEST(PlanSplits, CoversEveryTokenOnce) {
  for (const std::int64_t tokens : {1, 64, 257, 1000, 4096, 100000})
    for (const std::int64_t blocks : {1, 7, 64, 600}) {
      const SplitPlan plan = plan_splits(blocks, tokens, 528);
      EXPECT_EQ(plan.span % kSpanStep, 0);
      EXPECT_GE(plan.splits * plan.span, tokens);
      EXPECT_LT((plan.splits - 1) * plan.span, tokens) << "no span is empty";
      EXPECT_LE(plan.splits, kMostSplits);
    }
}

}  // namespace
}  // namespace bench::decode
