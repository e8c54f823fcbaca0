// SPDX-License-Identifier: Apache-2.0
// The distributed kernels against the oracle in every head shape, and what they owe the single-rank kernel.
// Layouts, ragged lengths, steep logits and more are in conformance_test, which walks all kernels.
#include <gtest/gtest.h>

#include <tuple>

#include "tests/kernels/attention/distributed_cases.hpp"

namespace bench::attention {
namespace {

constexpr DistributedSize kSizes[] = {
    {1, 8, 8, 1, 32},    // one token: all ranks but one are empty; MHA
    {1, 8, 1, 6, 80},    // fewer tokens than 8 ranks; MQA: Hkv < P
    {2, 8, 2, 37, 32},   // ragged for every P; GQA with replicated heads from P = 4 on
    {1, 8, 8, 41, 64},   // MHA, a head a rank at P = 8
    {1, 12, 4, 40, 80},  // groups of 3: runs of heads cut across groups at P = 8; L divides by 8
    {1, 9, 3, 29, 128},  // an odd number of heads over an even number of ranks
};
/// 1e-12 relative separates a mistake of schedule, mask or index from rounding; the op's own rule is stricter
/// still.
constexpr double kExact = 1e-12;

class DistributedAttention : public ::testing::TestWithParam<std::tuple<const char*, Layout, int>> {
 protected:
  const Kernel& kernel = distributed(std::get<0>(GetParam()));
  const Layout layout = std::get<1>(GetParam());
  const int ranks = std::get<2>(GetParam());

  void check(const DistributedSize& size, DType dtype, bool causal) {
    const AttentionProblem p = distributed_problem(size, dtype, causal, layout, ranks);
    SCOPED_TRACE(kernel.name + " " + text_of(p));
    ASSERT_EQ(supports_case(kernel, p), "");
    const Op& op = support::find_op("attention");
    const Tensors inputs = support::make_inputs(op, p, 5);
    const auto run = run_distributed(kernel, p, inputs);
    for (const auto& e : support::compare(kernel, op, p, inputs, run.outputs)) {
      EXPECT_LE(e.error, e.tolerance) << e.text();
      if (dtype == DType::f64) {
        EXPECT_LE(e.error, kExact) << e.text();
      }
    }
  }
};

TEST_P(DistributedAttention, EqualsTheOracleForEveryHeadShape) {
  for (const DistributedSize& size : kSizes)
    for (const bool causal : {false, true}) check(size, DType::f64, causal);
}

TEST_P(DistributedAttention, StaysWithinTheRuleInNarrowTypes) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16})
    for (const bool causal : {false, true}) check(kSizes[2], dtype, causal);
}

INSTANTIATE_TEST_SUITE_P(Variants, DistributedAttention,
                         ::testing::Combine(::testing::ValuesIn(kDistributed),
                                            ::testing::Values(Layout::contiguous, Layout::zigzag,
                                                              Layout::striped),
                                            ::testing::Values(1, 2, 3, 4, 8)),
                         [](const auto& which) {
                           return concat(std::get<0>(which.param), "_", to_text(std::get<1>(which.param)),
                                         "_P", std::get<2>(which.param));
                         });

class DistributedBits : public ::testing::TestWithParam<const char*> {
 protected:
  const Kernel& kernel = distributed(GetParam());
  static void expect_same_bits(const Tensors& a, const Tensors& b) {
    for (const char* name : {"out", "lse"})
      for (std::int64_t i = 0; i < a[name].count(); ++i)
        ASSERT_EQ(a[name].at(i), b[name].at(i)) << name << " element " << i;
  }
};

TEST_P(DistributedBits, OnOneRankAreThoseOfTheTiledKernel) {
  const AttentionProblem p = distributed_problem({2, 4, 2, 130, 64}, DType::f32, true, Layout::zigzag, 1);
  const Tensors inputs = support::make_inputs(support::find_op("attention"), p, 2);
  expect_same_bits(run_distributed(kernel, p, inputs).outputs,
                   run_distributed(distributed("flash_tiled_cpu"), p, inputs).outputs);
}

TEST_P(DistributedBits, DoNotDependOnThreadsOrTiming) {
  AttentionProblem p = distributed_problem({1, 4, 2, 210, 32}, DType::f32, true, Layout::striped, 3);
  const Tensors inputs = support::make_inputs(support::find_op("attention"), p, 2);
  const Tensors once = run_distributed(kernel, p, inputs).outputs;
  expect_same_bits(once, run_distributed(kernel, p, inputs).outputs);
  p.threads = 2;
  expect_same_bits(once, run_distributed(kernel, p, inputs).outputs);
}

INSTANTIATE_TEST_SUITE_P(Variants, DistributedBits, ::testing::ValuesIn(kDistributed),
                         [](const auto& which) { return std::string(which.param); });

TEST(Ulysses, HasTheTiledKernelsBitsOnAnyNumberOfRanks) {
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const Layout layout : {Layout::contiguous, Layout::zigzag, Layout::striped}) {
      for (const int ranks : {2, 3, 5}) {
        AttentionProblem p = distributed_problem({2, 6, 2, 107, 32}, dtype, true, layout, 1);
        const Tensors inputs = support::make_inputs(support::find_op("attention"), p, 4);
        const Tensors single = run_distributed(distributed("flash_tiled_cpu"), p, inputs).outputs;
        p.ranks = ranks;
        const Tensors many = run_distributed(distributed("ulysses_cpu"), p, inputs).outputs;
        for (const char* name : {"out", "lse"})
          for (std::int64_t i = 0; i < single[name].count(); ++i)
            ASSERT_EQ(single[name].at(i), many[name].at(i)) << text_of(p) << " " << name << " " << i;
      }
    }
  }
}

TEST(Ulysses, RefusesMoreRanksThanHeads) {
  const Kernel& kernel = distributed("ulysses_cpu");
  const auto reason = [&](std::int64_t ranks) {
    return supports_case(kernel,
                         distributed_problem({1, 4, 4, 64, 32}, DType::f32, true, Layout::zigzag, ranks));
  };
  EXPECT_EQ(reason(4), "");
  EXPECT_NE(reason(5).find("5 ranks"), std::string::npos) << reason(5);
}

}  // namespace
}  // namespace bench::attention
