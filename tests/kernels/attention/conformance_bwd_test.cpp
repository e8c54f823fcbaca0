// SPDX-License-Identifier: Apache-2.0
// Every registered attention kernel's backward pass against the fp64 oracle: a new kernel file is covered as
// soon as it is built.
#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "kernels/attention/ideal.hpp"
#include "tests/kernels/attention/bwd_cases.hpp"
#include "tests/support/torch_plugin.hpp"

namespace bench::attention::backward {
namespace {

constexpr Size kSizes[] = {
    {1, 1, 1, 1, 1},     // the smallest
    {1, 1, 1, 2, 64},    // fewer rows than a strip of 8
    {1, 2, 2, 7, 16},    // strip - 1
    {1, 1, 1, 9, 32},    // strip + 1
    {1, 1, 1, 47, 32},   // panel of 48 keys - 1
    {1, 1, 1, 97, 64},   // query block + 1
    {1, 1, 1, 191, 16},  // key block - 1
    {1, 1, 1, 193, 16},  // key block + 1
    {2, 6, 2, 130, 80},  // batch and grouped heads; five vectors of columns, an odd count
    {1, 4, 1, 61, 128},  // one key/value head for all
    {3, 2, 1, 33, 40},   // D not whole vectors of 16
    {1, 1, 1, 120, 3},   // D below the narrowest vector
    {1, 2, 1, 700, 16},  // several query and key blocks
};

void check_on_one_rank(const Kernel& kernel, DType dtype, bool causal) {
  for (const Size& size : kSizes) check({&kernel, size, dtype, causal});
  for (const Values values : {Values::steep, Values::constant_v, Values::equal_keys})
    check({&kernel, {1, 2, 1, 131, 64}, dtype, causal, values});
  check({.kernel = &kernel, .size = {1, 3, 1, 200, 32}, .dtype = dtype, .causal = causal, .threads = 2});
}

class AttentionBackwardConformance : public ::testing::TestWithParam<std::tuple<const Kernel*, DType>> {};

TEST_P(AttentionBackwardConformance, EqualsTheOracle) {
  const auto [kernel, dtype] = GetParam();
  if (std::ranges::find(kernel->dtypes, dtype) == kernel->dtypes.end())
    GTEST_SKIP() << "no " << bench::to_text(dtype);
  for (const bool causal : {false, true}) check_on_one_rank(*kernel, dtype, causal);
}

INSTANTIATE_TEST_SUITE_P(Kernels, AttentionBackwardConformance,
                         ::testing::Combine(::testing::ValuesIn(single_rank_kernels()),
                                            ::testing::Values(DType::f64, DType::f32, DType::bf16,
                                                              DType::f16)),
                         [](const auto& which) {
                           return concat(short_name(std::get<0>(which.param)), "_",
                                         bench::to_text(std::get<1>(which.param)));
                         });

// One test, not one per case: loading LibTorch takes longer than all of them. In bf16 the flash op sums its
// gradients in bf16 from block to block, so only few blocks of it are as good as the op's rule wants.
TEST(AttentionBackwardTorch, EqualsTheOracle) {
  const std::string missing = support::load_torch_plugin();
  if (!missing.empty()) GTEST_SKIP() << missing;
  int tested = 0;
  for (const Kernel* kernel : single_rank_kernels()) {
    if (kernel->backend != Backend::torch) continue;
    ++tested;
    for (const bool causal : {false, true}) {
      for (const DType dtype : {DType::f64, DType::f32}) check_on_one_rank(*kernel, dtype, causal);
      check({kernel, {1, 2, 2, 47, 32}, DType::bf16, causal});
    }
  }
  EXPECT_EQ(tested, 2) << "the flash op's backward and autograd through the math op";
}

constexpr Size kRankSizes[] = {
    {1, 2, 1, 1, 16},    // all ranks but one are empty
    {1, 1, 1, 5, 8},     // shorter than 8 ranks
    {2, 4, 2, 101, 24},  // ragged for every P, batch and grouped heads
    {1, 2, 2, 500, 16},  // several query and key blocks a rank, cut at the diagonal
};
/// Multi-head, grouped and single-key heads at the head sizes that models have.
constexpr Size kRankHeads[] = {{1, 2, 2, 67, 32}, {1, 4, 2, 67, 64}, {1, 4, 1, 67, 80}, {1, 2, 1, 67, 128}};
/// As many heads as 8 ranks, for exchanges that cut heads: groups that one rank holds, groups of several
/// ranks, and runs that are cut across groups (9 heads on 2, 4 and 8 ranks); a rank with no row but with
/// heads.
constexpr Size kManyHeads[] = {{1, 8, 8, 19, 8}, {2, 8, 2, 13, 24}, {1, 9, 3, 29, 16}, {1, 8, 1, 3, 16}};

/// fp64 first: the op's rule, 128 eps, leaves no room for a mistake of schedule, mask or index.
void check_on_ranks(const Kernel& kernel, std::int64_t ranks, bool causal) {
  const auto in_all_layouts = [&](const Size& size, DType dtype, Values values, std::int64_t threads) {
    check_layouts({&kernel, size, dtype, causal, values, Layout::contiguous, ranks, threads},
                  {Layout::contiguous, Layout::zigzag, Layout::striped});
  };
  for (const Size& size : kRankSizes) in_all_layouts(size, DType::f64, Values::normal, 1);
  for (const Size& size : kRankHeads) in_all_layouts(size, DType::f64, Values::normal, 1);
  for (const Size& size : kManyHeads) in_all_layouts(size, DType::f64, Values::normal, 1);
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16})
    for (const Size& size : {kRankSizes[2], kManyHeads[1]}) in_all_layouts(size, dtype, Values::normal, 1);
  for (const Size& size : {kRankSizes[2], kManyHeads[1]}) in_all_layouts(size, DType::f32, Values::steep, 2);
}

class AttentionBackwardAcrossRanks : public ::testing::TestWithParam<std::tuple<const Kernel*, int>> {};

TEST_P(AttentionBackwardAcrossRanks, EqualsTheOracle) {
  const auto [kernel, ranks] = GetParam();
  for (const bool causal : {false, true}) check_on_ranks(*kernel, ranks, causal);
}

/// Layout moves rows between ranks, not bytes: striped stands for all of them. 24 heads are cut evenly by
/// every P; one key/value head is replicated on every rank, 24 on none.
TEST_P(AttentionBackwardAcrossRanks, SendsWhatTheClosedFormSays) {
  const auto [kernel, ranks] = GetParam();
  const Op& op = support::find_op("attention");
  const Exchange exchange = exchange_of(kernel->name).value();
  for (const std::int64_t kv_heads : {1, 24}) {
    const AttentionProblem p = problem_of(
        {kernel, {1, 24, kv_heads, 4 * ranks, 8}, DType::bf16, true, Values::normal, Layout::striped, ranks});
    AttentionProblem forward = p;
    forward.pass = "fwd";
    const auto links = comm::make_thread_links(ranks);
    support::run_kernel(*kernel, op, p, support::make_inputs(op, p, 1), links);
    const auto vote = static_cast<double>(ranks - 1);  // prepare's byte to every other rank
    for (const auto& link : links)
      EXPECT_DOUBLE_EQ(static_cast<double>(link->bytes_sent()) - vote - op.cost(forward).wire_bytes,
                       wire_bytes_per_rank(p, exchange))
          << kv_heads << " key/value heads";
    if (exchange != Exchange::ring) continue;
    EXPECT_EQ(op.cost(p).wire_bytes, wire_bytes_per_rank(p, exchange)) << "the op's cost is the ring's";
  }
}

/// 31 rows are cut evenly by no P > 1: a row costs what it does in even shares, whoever holds it.
TEST_P(AttentionBackwardAcrossRanks, SendsNoPaddingOfRaggedShares) {
  const auto [kernel, ranks] = GetParam();
  const Op& op = support::find_op("attention");
  const auto total_of = [&, kernel = kernel, ranks = ranks](std::int64_t seq) {
    const AttentionProblem p =
        problem_of({kernel, {1, 24, 24, seq, 8}, DType::f32, true, Values::normal, Layout::striped, ranks});
    const auto links = comm::make_thread_links(ranks);
    support::run_kernel(*kernel, op, p, support::make_inputs(op, p, 1), links);
    std::int64_t sum = -ranks * (ranks - 1);  // the votes
    for (const auto& link : links) sum += link->bytes_sent();
    return sum;
  };
  EXPECT_EQ(24 * total_of(31), 31 * total_of(24)) << "24 rows are cut evenly by every P";
}

INSTANTIATE_TEST_SUITE_P(Kernels, AttentionBackwardAcrossRanks,
                         ::testing::Combine(::testing::ValuesIn(collective_kernels()),
                                            ::testing::Values(2, 3, 4, 8)),
                         [](const auto& which) {
                           return concat(short_name(std::get<0>(which.param)), "_P",
                                         std::get<1>(which.param));
                         });

class AttentionBackwardBits : public ::testing::TestWithParam<const Kernel*> {
 protected:
  const Op& op = support::find_op("attention");
  Case tiled_case(const Size& size, DType dtype, Layout layout) const {
    return {
        &support::find_kernel("attention/flash_tiled_bwd_cpu"), size, dtype, true, Values::normal, layout};
  }
};

/// So what is shown for that kernel on one rank is shown for all.
TEST_P(AttentionBackwardBits, OnOneRankAreThoseOfTheTiledKernel) {
  for (const DType dtype : {DType::f64, DType::f32, DType::bf16, DType::f16}) {
    Case c = tiled_case({2, 4, 2, 130, 24}, dtype, Layout::zigzag);
    const Tensors inputs = support::make_inputs(op, problem_of(c), 2);
    const Tensors tiled = run_of(c, inputs);
    c.kernel = GetParam();
    expect_same_bits(tiled, run_of(c, inputs));
  }
}

TEST_P(AttentionBackwardBits, DoNotDependOnThreadsOrTiming) {
  Case c = tiled_case({1, 4, 2, 210, 32}, DType::f32, Layout::striped);
  c.kernel = GetParam();
  c.ranks = 3;
  const Tensors inputs = support::make_inputs(op, problem_of(c), 2);
  const Tensors once = run_of(c, inputs);
  expect_same_bits(once, run_of(c, inputs));
  c.threads = 2;
  expect_same_bits(once, run_of(c, inputs));
}

INSTANTIATE_TEST_SUITE_P(Kernels, AttentionBackwardBits, ::testing::ValuesIn(collective_kernels()),
                         [](const auto& which) { return short_name(which.param); });

TEST(UlyssesBackward, RefusesMoreRanksThanHeads) {
  const Kernel& kernel = support::find_kernel("attention/ulysses_bwd_cpu");
  const auto reason_on = [&](std::int64_t ranks) {
    return supports_case(
        kernel,
        problem_of({&kernel, {1, 4, 2, 8, 8}, DType::f32, true, Values::normal, Layout::contiguous, ranks}));
  };
  EXPECT_EQ(reason_on(4), "");
  const std::string reason = reason_on(5);
  EXPECT_NE(reason.find("5 ranks"), std::string::npos) << reason;
}

TEST(AttentionBackwardKernels, RunTheirPassOnly) {
  for (const Kernel* kernel : backward_kernels()) {
    AttentionProblem p = problem_of({kernel, kSizes[0], DType::f32, true});
    EXPECT_EQ(supports_case(*kernel, p), "");
    p.pass = "fwd";
    EXPECT_EQ(supports_case(*kernel, p), "this kernel has no fwd pass");
  }
}

}  // namespace
}  // namespace bench::attention::backward
