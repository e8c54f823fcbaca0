// SPDX-License-Identifier: Apache-2.0
// The decode op itself: its oracle by hand, its table and lengths, its cost; and what holds to the bit for
// the kernels.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/kernels/decode/decode_cases.hpp"

namespace bench::decode {
namespace {

Params params_with(const Params& changes) {
  Params params;
  for (const ParamSpec& spec : common_params()) params[spec.name] = spec.fallback;
  for (const ParamSpec& spec : decode_op().params) params[spec.name] = spec.fallback;
  for (const auto& [key, value] : changes) params[key] = value;
  return params;
}

/// A pool of one head of width 1 whose slot of each token of sequence 0 holds f(token), everything else NaN.
Tensor pool_of(const DecodeProblem& p, double (*f)(std::int64_t)) {
  Tensor pool(DType::f64, {p.pages(), p.page, 1, 1});
  for (std::int64_t i = 0; i < pool.count(); ++i) pool.set(i, std::nan(""));
  const auto table = block_table(p);
  for (std::int64_t t = 0; t < p.seq; ++t)
    pool.set(table[static_cast<std::size_t>(t / p.page)] * p.page + t % p.page, f(t));
  return pool;
}

TEST(DecodeOracle, WeighsTheTokensOfASequenceThroughTheTable) {
  // 18 tokens in two pages: keys ln 3 for token 17 and 0 for the others, so weights 3 and 1 of 20; values are
  // 1 for token 17, 2 for token 0, 0 for the others.
  const DecodeProblem p = problem_of({1, 1, 1, 18, 1, 16}, DType::f64);
  Tensors inputs;
  inputs.add("q", Tensor(DType::f64, {1, 1, 1})).set(0, 1.0);
  inputs.add("k_cache", pool_of(p, [](std::int64_t t) { return t == 17 ? std::log(3.0) : 0.0; }));
  inputs.add("v_cache", pool_of(p, [](std::int64_t t) { return t == 17 ? 1.0 : t == 0 ? 2.0 : 0.0; }));
  const std::vector<std::int64_t> rows{0};
  const Tensors outputs = decode_op().reference(p, inputs, rows);
  EXPECT_NEAR(outputs["out"].at(0), (3.0 * 1.0 + 1.0 * 2.0) / 20.0, 1e-15);
  EXPECT_NEAR(outputs["lse"].at(0), std::log(20.0), 1e-15);
}

TEST(DecodeOracle, LeavesOutSequencesThatNobodyAskedFor) {
  const DecodeProblem p = problem_of({3, 4, 2, 20, 8, 16, Lengths::ragged}, DType::f64);
  const Tensors inputs = support::make_inputs(decode_op(), p, 1);
  const std::vector<std::int64_t> all{0, 1, 2}, some{0, 2};
  const Tensors whole = decode_op().reference(p, inputs, all), part = decode_op().reference(p, inputs, some);
  for (std::int64_t i = 0; i < p.heads * p.head_dim; ++i) {
    EXPECT_EQ(part["out"].at(i), whole["out"].at(i));
    EXPECT_EQ(part["out"].at(p.heads * p.head_dim + i), whole["out"].at(2 * p.heads * p.head_dim + i));
  }
}

TEST(DecodeProblem, TableIsAPermutationOfAllPagesAndInNoOrder) {
  const DecodeProblem p = problem_of({5, 1, 1, 1000, 64, 16}, DType::f32);
  auto table = block_table(p);
  EXPECT_EQ(table, block_table(p)) << "a function of the problem";
  std::int64_t ascending = 0;
  for (std::size_t i = 1; i < table.size(); ++i) ascending += table[i] == table[i - 1] + 1 ? 1 : 0;
  EXPECT_LT(ascending, 10) << "of 314 neighbours a random table has about one in order";
  std::sort(table.begin(), table.end());
  for (std::size_t i = 0; i < table.size(); ++i) ASSERT_EQ(table[i], static_cast<std::int32_t>(i));
  EXPECT_EQ(static_cast<std::int64_t>(table.size()), 5 * 63);
}

TEST(DecodeProblem, RaggedLengthsMixShortAndLong) {
  const auto lengths = sequence_lengths(problem_of({64, 1, 1, 1000, 64, 16, Lengths::ragged}, DType::f32));
  EXPECT_EQ(lengths[0], 1000) << "the longest is what the parameter says";
  EXPECT_GE(*std::min_element(lengths.begin(), lengths.end()), 1);
  EXPECT_EQ(*std::max_element(lengths.begin(), lengths.end()), 1000);
  const auto shorter = std::count_if(lengths.begin(), lengths.end(), [](std::int64_t n) { return n <= 500; });
  EXPECT_GT(shorter, 16);
  EXPECT_LT(shorter, 48);
}

TEST(DecodeProblem, CostCountsWhatTheSequencesHaveAndNotThePool) {
  const DecodeProblem p = problem_of({2, 8, 2, 100, 64, 64, Lengths::ragged}, DType::bf16);
  const auto lengths = sequence_lengths(p);
  const double tokens = static_cast<double>(std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0}));
  const Cost cost = decode_op().cost(p);
  EXPECT_EQ(cost.flops, 4.0 * 8 * 64 * tokens);
  EXPECT_EQ(cost.exps, 8 * tokens);
  EXPECT_EQ(cost.bytes, 2 * tokens * 2 * 64 * 2 + 2 * 8 * (2 * 64 * 2 + 4)) << "K and V; q and out; lse";
}

TEST(DecodeProblem, ValuesOutOfRangeAreUsageErrors) {
  for (const Params& wrong : {Params{{"page", std::int64_t{48}}}, Params{{"page", std::int64_t{0}}},
                              Params{{"kv_heads", std::int64_t{3}}}, Params{{"lengths", std::string("odd")}},
                              Params{{"seq", std::int64_t{0}}}})
    EXPECT_THROW(decode_op().parse(params_with(wrong)), Error) << wrong.begin()->first;
  const auto p = decode_op().parse(params_with({{"heads", std::int64_t{6}}}));
  EXPECT_EQ(problem_as<DecodeProblem>(*p).kv_heads, 6) << "0, the default: as many as heads";
}

class DecodeKernel : public ::testing::TestWithParam<const Kernel*> {
 protected:
  const Kernel& kernel = *GetParam();
};

// 100 runs on threads that race for the work: a merge in the order of arrival would show.
TEST_P(DecodeKernel, RepeatsToTheBit) {
  const DecodeProblem p = problem_of({2, 4, 2, 900, 64, 16, Lengths::equal, 4}, DType::f32);
  const Tensors inputs = support::make_inputs(decode_op(), p, 1);
  const Tensors once = run(kernel, p, inputs);
  for (int i = 0; i < 100; ++i) expect_same_bits(once, run(kernel, p, inputs));
}

TEST_P(DecodeKernel, ThreadsDoNotChangeTheBits) {
  DecodeProblem p = problem_of({2, 6, 3, 500, 64, 32, Lengths::ragged}, DType::bf16);
  const Tensors inputs = support::make_inputs(decode_op(), p, 1);
  const Tensors one = run(kernel, p, inputs);
  p.threads = 5;  // more than spans: key/value heads are shared out too
  expect_same_bits(one, run(kernel, p, inputs));
}

// A server moves pages about; what a sequence answers may not depend on where they lie.
TEST_P(DecodeKernel, AnotherTableOfTheSamePagesGivesTheSameBits) {
  DecodeProblem p = problem_of({3, 4, 2, 200, 64, 16, Lengths::ragged, 2}, DType::f32), moved = p;
  moved.table_seed = 2;
  const auto from = block_table(p), to = block_table(moved);
  ASSERT_NE(from, to);
  const Tensors inputs = support::make_inputs(decode_op(), p, 1);
  Tensors elsewhere = support::make_inputs(decode_op(), p, 1);
  const std::int64_t bytes = p.page * p.row() * size_of(p.dtype);
  for (const char* name : {"k_cache", "v_cache"})
    for (std::size_t i = 0; i < from.size(); ++i)
      std::memcpy(elsewhere[name].data() + to[i] * bytes, inputs[name].data() + from[i] * bytes,
                  static_cast<std::size_t>(bytes));
  expect_same_bits(run(kernel, p, inputs), run(kernel, moved, elsewhere));
}

INSTANTIATE_TEST_SUITE_P(Kernels, DecodeKernel, ::testing::ValuesIn(decode_kernels(Backend::cpu)),
                         [](const auto& which) {
                           return which.param->name.substr(which.param->name.find('/') + 1);
                         });

TEST(DecodePaged, OtherSequencesInTheBatchDoNotChangeTheBits) {
  // Sequence 0 alone, then with two others: the same tokens by value, other pages, other threads.
  const Kernel& kernel = support::find_kernel("decode/paged_cpu");
  const DecodeProblem alone = problem_of({1, 4, 2, 700, 64, 16}, DType::f32);
  const DecodeProblem among = problem_of({3, 4, 2, 700, 64, 16, Lengths::equal, 3}, DType::f32);
  Tensors one = support::make_inputs(decode_op(), alone, 1),
          three = support::make_inputs(decode_op(), among, 2);
  const auto from = block_table(alone), to = block_table(among);
  const std::int64_t bytes = alone.page * alone.row() * size_of(alone.dtype);
  for (const char* name : {"k_cache", "v_cache"})
    for (std::size_t i = 0; i < from.size(); ++i)
      std::memcpy(three[name].data() + to[i] * bytes, one[name].data() + from[i] * bytes,
                  static_cast<std::size_t>(bytes));
  std::memcpy(three["q"].data(), one["q"].data(), static_cast<std::size_t>(one["q"].bytes()));
  const Tensors a = run(kernel, alone, one), b = run(kernel, among, three);
  for (const char* name : {"out", "lse"})
    EXPECT_EQ(std::memcmp(a[name].data(), b[name].data(), static_cast<std::size_t>(a[name].bytes())), 0)
        << name;
}

}  // namespace
}  // namespace bench::decode
