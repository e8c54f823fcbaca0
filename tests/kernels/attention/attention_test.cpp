// SPDX-License-Identifier: Apache-2.0
// The op: its parameters, cost and layouts, and the oracle on cases worked by hand.
#include "kernels/attention/attention.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/attention/reference.hpp"
#include "tests/support/run_case.hpp"

namespace bench::attention {
namespace {

std::string usage_message(const std::string& key, Value value) {
  Params params = default_params(support::find_op("attention"));
  params[key] = std::move(value);
  try {
    support::find_op("attention").parse(params);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return "";
}

TEST(Attention, DefaultsParse) {
  const auto problem = support::find_op("attention").parse(default_params(support::find_op("attention")));
  const auto& p = problem_as<AttentionProblem>(*problem);
  EXPECT_EQ(p.kv_heads, 8);  // 0 means as many as heads
  EXPECT_TRUE(p.causal);
  EXPECT_EQ(p.dtype, DType::f32);
}

TEST(Attention, BadParametersAreNamedWithTheirValue) {
  EXPECT_NE(usage_message("kv_heads", std::int64_t{3}).find("kv_heads = 3"), std::string::npos);
  EXPECT_NE(usage_message("kv_heads", std::int64_t{-1}).find("kv_heads = -1"), std::string::npos);
  EXPECT_NE(usage_message("seq", std::int64_t{0}).find("seq = 0"), std::string::npos);
  EXPECT_NE(usage_message("head_dim", std::int64_t{-4}).find("head_dim = -4"), std::string::npos);
  EXPECT_NE(usage_message("layout", std::string("spiral")).find("'spiral'"), std::string::npos);
}

AttentionProblem small(std::int64_t length, bool causal) {
  AttentionProblem p;
  p.heads = p.kv_heads = 1;
  p.seq = length;
  p.causal = causal;
  return p;
}

TEST(Attention, CostCountsExactPairs) {
  const Op& op = support::find_op("attention");
  AttentionProblem p = small(5, true);
  p.batch = 2;
  p.heads = 6;
  p.kv_heads = 2;
  p.head_dim = 16;
  EXPECT_EQ(op.cost(p).exps, 2.0 * 6.0 * 15.0);  // 5 * 6 / 2 pairs a head
  EXPECT_EQ(op.cost(p).flops, 4.0 * 16.0 * 2.0 * 6.0 * 15.0);
  EXPECT_EQ(op.cost(p).bytes,
            4.0 * (2 * 6 * 5 * 16 * 2 + 2 * 2 * 5 * 16 * 2 + 2 * 6 * 5));  // q out, k v, lse
  EXPECT_EQ(op.cost(p).wire_bytes, 0.0);
  p.ranks = 3;
  EXPECT_EQ(op.cost(p).wire_bytes,
            2.0 * 2 * 2 * 2 * 2 * 16 * 4);  // 2 hops, K and V, B 2, share 2, Hkv 2, D 16, 4 bytes
  p.causal = false;
  EXPECT_EQ(op.cost(p).exps, 2.0 * 6.0 * 25.0);
}

TEST(Attention, EveryLayoutHoldsEveryPositionOnceInAscendingOrder) {
  for (const Layout layout : {Layout::contiguous, Layout::zigzag, Layout::striped}) {
    for (const std::int64_t ranks : {1, 2, 3, 4, 8}) {
      for (const std::int64_t length : {1, 2, 7, 8, 16, 37}) {  // shorter than P, than 2P, exact, ragged
        AttentionProblem p = small(length, true);
        p.layout = layout;
        p.ranks = ranks;
        std::vector<std::int64_t> all;
        for (std::int64_t r = 0; r < ranks; ++r) {
          const auto mine = rank_positions(p, r);
          EXPECT_TRUE(std::ranges::is_sorted(mine));
          EXPECT_LE(static_cast<std::int64_t>(mine.size()), longest_share(p));
          all.insert(all.end(), mine.begin(), mine.end());
        }
        std::ranges::sort(all);
        std::vector<std::int64_t> want(static_cast<std::size_t>(length));
        std::iota(want.begin(), want.end(), std::int64_t{0});
        EXPECT_EQ(all, want) << to_text(layout) << " P " << ranks << " L " << length;
      }
    }
  }
}

TEST(Attention, ZigzagPairsEarlyChunksWithLateOnes) {
  AttentionProblem p = small(8, true);
  p.layout = Layout::zigzag;
  p.ranks = 2;  // four chunks of two: rank 0 holds chunks 0 and 3, rank 1 chunks 1 and 2
  EXPECT_EQ(rank_positions(p, 0), (std::vector<std::int64_t>{0, 1, 6, 7}));
  EXPECT_EQ(rank_positions(p, 1), (std::vector<std::int64_t>{2, 3, 4, 5}));
}

Tensor matrix(std::initializer_list<double> values) {
  Tensor t(DType::f64, {1, 1, 2, 2});
  std::int64_t i = 0;
  for (const double x : values) t.set(i++, x);
  return t;
}

/// q_0 . k_j / sqrt(2) is 0 and ln 3, q_1 sees equal scores: weights (1/4, 3/4) and (1/2, 1/2).
Tensors two_by_two() {
  Tensors t;
  t.add("q", matrix({std::sqrt(2.0), 0.0, 0.0, 0.0}));
  t.add("k", matrix({0.0, 5.0, std::log(3.0), -7.0}));
  t.add("v", matrix({4.0, 10.0, 8.0, 20.0}));
  return t;
}

TEST(AttentionReference, TwoByTwoByHand) {
  AttentionProblem p = small(2, false);
  p.head_dim = 2;
  const std::vector<std::int64_t> rows{0, 1};
  const Tensors r = reference(p, two_by_two(), rows);
  EXPECT_NEAR(r["out"].at(0), 7.0, 1e-14);   // 4/4 + 8 * 3/4
  EXPECT_NEAR(r["out"].at(1), 17.5, 1e-14);  // 10/4 + 20 * 3/4
  EXPECT_NEAR(r["out"].at(2), 6.0, 1e-14);
  EXPECT_NEAR(r["out"].at(3), 15.0, 1e-14);
  EXPECT_NEAR(r["lse"].at(0), std::log(4.0), 1e-15);
  EXPECT_NEAR(r["lse"].at(1), std::log(2.0), 1e-15);
}

TEST(AttentionReference, CausalFirstRowIsTheFirstValue) {
  AttentionProblem p = small(2, true);
  p.head_dim = 2;
  const std::vector<std::int64_t> rows{0, 1};
  const Tensors r = reference(p, two_by_two(), rows);
  EXPECT_EQ(r["out"].at(0), 4.0);
  EXPECT_EQ(r["out"].at(1), 10.0);
  EXPECT_EQ(r["lse"].at(0), 0.0);
  EXPECT_NEAR(r["out"].at(2), 6.0, 1e-14);  // the last row sees both
}

TEST(AttentionReference, ChosenRowsEqualThoseOfTheWhole) {
  const Op& op = support::find_op("attention");
  AttentionProblem p = small(9, true);
  p.heads = 4;
  p.kv_heads = 2;
  p.head_dim = 3;
  p.dtype = DType::f64;
  const Tensors inputs = support::make_inputs(op, p, 5);
  std::vector<std::int64_t> all(9);
  std::iota(all.begin(), all.end(), std::int64_t{0});
  const std::vector<std::int64_t> some{2, 8};
  const Tensors whole = op.reference(p, inputs, all), part = op.reference(p, inputs, some);
  for (const char* name : {"out", "lse"}) {
    const Tensor want = support::take(whole[name], 2, some);
    ASSERT_EQ(part[name].shape(), want.shape());
    for (std::int64_t i = 0; i < want.count(); ++i) EXPECT_EQ(part[name].at(i), want.at(i));
  }
}

}  // namespace
}  // namespace bench::attention
