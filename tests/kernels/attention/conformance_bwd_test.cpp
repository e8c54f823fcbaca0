// SPDX-License-Identifier: Apache-2.0
// Every registered attention kernel's backward pass against the fp64 oracle: a new kernel file is covered as
// soon as it is built.
#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "tests/kernels/attention/bwd_cases.hpp"

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
                         ::testing::Combine(::testing::ValuesIn(backward_kernels()),
                                            ::testing::Values(DType::f64, DType::f32, DType::bf16,
                                                              DType::f16)),
                         [](const auto& which) {
                           return concat(short_name(std::get<0>(which.param)), "_",
                                         bench::to_text(std::get<1>(which.param)));
                         });

constexpr Size kRingSizes[] = {
    {1, 2, 1, 1, 16},    // all ranks but one are empty
    {1, 1, 1, 5, 8},     // shorter than 8 ranks
    {2, 4, 2, 101, 24},  // ragged for every P, batch and grouped heads
    {1, 2, 2, 500, 16},  // several query and key blocks a rank, cut at the diagonal
};
/// Multi-head, grouped and single-key heads at the head sizes that models have.
constexpr Size kRingHeads[] = {{1, 2, 2, 67, 32}, {1, 4, 2, 67, 64}, {1, 4, 1, 67, 80}, {1, 2, 1, 67, 128}};

/// fp64 first: the op's rule, 128 eps, leaves no room for a mistake of schedule, mask or index.
void check_on_ranks(const Kernel& kernel, Layout layout, std::int64_t ranks, bool causal) {
  for (const Size& size : kRingSizes)
    check({&kernel, size, DType::f64, causal, Values::normal, layout, ranks});
  for (const Size& size : kRingHeads)
    check({&kernel, size, DType::f64, causal, Values::normal, layout, ranks});
  for (const DType dtype : {DType::f32, DType::bf16})
    check({&kernel, kRingSizes[2], dtype, causal, Values::normal, layout, ranks});
  check({&kernel, kRingSizes[2], DType::f32, causal, Values::steep, layout, ranks, 2});
}

class AttentionBackwardAcrossRanks : public ::testing::TestWithParam<std::tuple<const Kernel*, Layout, int>> {
};

TEST_P(AttentionBackwardAcrossRanks, EqualsTheOracle) {
  const auto [kernel, layout, ranks] = GetParam();
  for (const bool causal : {false, true}) check_on_ranks(*kernel, layout, ranks, causal);
}

TEST_P(AttentionBackwardAcrossRanks, SendsWhatTheCostModelSays) {
  const auto [kernel, layout, ranks] = GetParam();
  const Op& op = support::find_op("attention");
  const AttentionProblem p =
      problem_of({kernel, {1, 4, 2, 16 * ranks, 8}, DType::bf16, true, Values::normal, layout, ranks});
  const Tensors inputs = support::make_inputs(op, p, 1);
  const auto links = comm::make_thread_links(ranks);
  AttentionProblem forward = p;
  forward.pass = "fwd";
  support::run_kernel(*kernel, op, p, inputs, links);
  for (const auto& link : links) {
    const auto vote = static_cast<double>(ranks - 1);  // prepare's byte to every other rank
    EXPECT_EQ(static_cast<double>(link->bytes_sent()) - vote - op.cost(forward).wire_bytes,
              op.cost(p).wire_bytes);
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, AttentionBackwardAcrossRanks,
                         ::testing::Combine(::testing::ValuesIn(collective_kernels()),
                                            ::testing::Values(Layout::contiguous, Layout::zigzag,
                                                              Layout::striped),
                                            ::testing::Values(1, 2, 3, 4, 8)),
                         [](const auto& which) {
                           return concat(short_name(std::get<0>(which.param)), "_",
                                         to_text(std::get<1>(which.param)), "_P", std::get<2>(which.param));
                         });

TEST(AttentionBackwardKernels, RunTheirPassOnly) {
  for (const Kernel* kernel : backward_kernels()) {
    AttentionProblem p = problem_of({kernel, kSizes[0], DType::f32, true});
    EXPECT_EQ(supports_case(*kernel, p), "");
    p.pass = "fwd";
    EXPECT_EQ(supports_case(*kernel, p), concat("no fwd pass in ", kernel->name));
  }
}

}  // namespace
}  // namespace bench::attention::backward
