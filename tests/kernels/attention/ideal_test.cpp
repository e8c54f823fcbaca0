// SPDX-License-Identifier: Apache-2.0
// The closed forms against counting pair by pair, and against the formulas and examples that they are known
// by.
#include "kernels/attention/ideal.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace bench::attention {
namespace {

constexpr Layout kLayouts[]{Layout::contiguous, Layout::zigzag, Layout::striped};

AttentionProblem problem(Layout layout, std::int64_t ranks, std::int64_t seq, bool causal = true) {
  AttentionProblem p;
  p.heads = p.kv_heads = 4;
  p.head_dim = 8;
  p.layout = layout;
  p.ranks = ranks;
  p.seq = seq;
  p.causal = causal;
  return p;
}

/// Pairs of a step, one by one, from the positions that the kernels use.
double counted(const AttentionProblem& p, std::int64_t rank, std::int64_t source) {
  double pairs = 0.0;
  for (const std::int64_t q : rank_positions(p, rank))
    for (const std::int64_t k : rank_positions(p, source)) pairs += !p.causal || k <= q ? 1.0 : 0.0;
  return pairs;
}

/// [rank][step]
std::vector<std::vector<double>> counted_steps(const AttentionProblem& p) {
  std::vector<std::vector<double>> table;
  for (std::int64_t r = 0; r < p.ranks; ++r) {
    table.emplace_back();
    for (std::int64_t s = 0; s < p.ranks; ++s)
      table.back().push_back(counted(p, r, (r - s + p.ranks) % p.ranks));
  }
  return table;
}

double total(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

/// 1 to 16 ranks as the page that lists the formulas was checked; 13 and 37 tokens are ragged and, for 16
/// ranks, fewer than ranks.
TEST(AttentionIdeal, CountsThePairsOfEveryRankWhateverTheLength) {
  for (const Layout layout : kLayouts)
    for (const bool causal : {true, false})
      for (std::int64_t ranks = 1; ranks <= 16; ++ranks)
        for (const std::int64_t seq : {13, 37, 64}) {
          const AttentionProblem p = problem(layout, ranks, seq, causal);
          const auto steps = counted_steps(p);
          double sum = 0.0, most = 0.0;
          for (std::int64_t r = 0; r < ranks; ++r) {
            const double pairs = total(steps[static_cast<std::size_t>(r)]);
            ASSERT_DOUBLE_EQ(pairs_of_rank(p, r), pairs)
                << to_text(layout) << " P=" << ranks << " r=" << r << " L=" << seq;
            sum += pairs;
            most = std::max(most, pairs);
          }
          ASSERT_DOUBLE_EQ(layout_efficiency(p, Exchange::ring), sum / static_cast<double>(ranks) / most);
          ASSERT_DOUBLE_EQ(sum, pair_count(p)) << "every pair once";
        }
}

TEST(AttentionIdeal, CountsTheStepsOfTheBusiestRank) {
  for (const Layout layout : kLayouts)
    for (const bool causal : {true, false})
      for (const std::int64_t ranks : {1, 2, 3, 4, 8, 16})
        for (const std::int64_t seq : {13, 64}) {
          const AttentionProblem p = problem(layout, ranks, seq, causal);
          const auto steps = counted_steps(p);
          const auto busiest = std::ranges::max_element(
              steps, [](const auto& a, const auto& b) { return total(a) < total(b); });
          const std::vector<double> flops = step_flops(p, Exchange::ring);
          ASSERT_EQ(flops.size(), busiest->size());
          for (std::size_t s = 0; s < flops.size(); ++s)
            ASSERT_DOUBLE_EQ(flops[s], 4.0 * 8.0 * 4.0 * (*busiest)[s])
                << to_text(layout) << " P=" << ranks << " s=" << s;
        }
}

/// With even shares it makes no difference whether ranks wait for each other at every step: the sum of the
/// steps' maxima is the busiest rank's sum.
TEST(AttentionIdeal, IsTheFormulaOfEachLayout) {
  for (std::int64_t ranks = 1; ranks <= 16; ++ranks)
    for (const std::int64_t share : {2, 6, 10}) {  // tokens a rank, even as zigzag's formula wants it
      const auto w = static_cast<double>(ranks), l = static_cast<double>(share);
      const auto efficiency = [&](Layout layout, bool causal = true) {
        const AttentionProblem p = problem(layout, ranks, ranks * share, causal);
        const auto steps = counted_steps(p);
        double in_step = 0.0;
        for (std::size_t s = 0; s < steps.size(); ++s)
          in_step += std::ranges::max(steps, {}, [s](const auto& row) { return row[s]; })[s];
        EXPECT_DOUBLE_EQ(in_step, pair_count(p) / w / layout_efficiency(p, Exchange::ring))
            << to_text(layout) << ranks;
        return layout_efficiency(p, Exchange::ring);
      };
      EXPECT_DOUBLE_EQ(efficiency(Layout::contiguous), (w * l + 1.0) / ((2.0 * w - 1.0) * l + 1.0));
      EXPECT_DOUBLE_EQ(efficiency(Layout::zigzag), 1.0);
      EXPECT_DOUBLE_EQ(efficiency(Layout::striped), (w * l + 1.0) / (w * (l + 1.0)));
      for (const Layout layout : kLayouts) EXPECT_DOUBLE_EQ(efficiency(layout, false), 1.0);
    }
}

TEST(AttentionIdeal, ContiguousHasTheKnownCeilings) {
  const double known[]{1.0, 0.667, 0.600, 0.571, 0.533};  // of long sequences
  const std::int64_t ranks[]{1, 2, 3, 4, 8};
  for (int i = 0; i < 5; ++i)
    EXPECT_NEAR(
        layout_efficiency(problem(Layout::contiguous, ranks[i], std::int64_t{1} << 30), Exchange::ring),
        known[i], 5e-4);
}

TEST(AttentionIdeal, TravellingQueriesAreTheMirrorImage) {
  for (const Layout layout : kLayouts) {
    const AttentionProblem p = problem(layout, 4, 37);  // ragged
    double sum = 0.0;
    for (std::int64_t r = 0; r < 4; ++r) {
      double pairs = 0.0;
      for (std::int64_t source = 0; source < 4; ++source) pairs += counted(p, source, r);
      EXPECT_DOUBLE_EQ(pairs_of_rank(p, r, true), pairs);
      sum += pairs;
    }
    EXPECT_DOUBLE_EQ(sum, pair_count(p));
    const auto flops = step_flops(p, Exchange::pass_q);
    EXPECT_DOUBLE_EQ(total(flops) / (4.0 * 8.0 * 4.0),
                     pair_count(p) / 4.0 / layout_efficiency(p, Exchange::pass_q));
  }
}

TEST(AttentionIdeal, UlyssesCutsHeads) {
  EXPECT_DOUBLE_EQ(layout_efficiency(problem(Layout::contiguous, 4, 64), Exchange::ulysses), 1.0);
  EXPECT_DOUBLE_EQ(layout_efficiency(problem(Layout::contiguous, 3, 64), Exchange::ulysses), 4.0 / 3.0 / 2.0)
      << "4 heads on 3 ranks: one has two";
}

/// With L tokens a rank and equal dtypes the ring sends less than the all-to-all exactly when P < 1 + H /
/// Hkv.
TEST(AttentionIdeal, TheRingSendsLessThanUlyssesBelowTheKnownRankCount) {
  for (const std::int64_t group : {1, 2, 4, 7})
    for (std::int64_t ranks = 2; ranks <= 12; ++ranks) {
      AttentionProblem p = problem(Layout::contiguous, ranks, 24 * ranks);
      p.kv_heads = 12;  // at least as many as ranks: none is sent twice
      p.heads = group * p.kv_heads;
      const double ring = wire_bytes_per_rank(p, Exchange::ring);
      // Whole bytes: at P = 1 + H / Hkv both send the same, and a rounding must not decide.
      const double lse = static_cast<double>((ranks - 1) * 24 * p.heads * 4) / static_cast<double>(ranks);
      const double ulysses = std::round(wire_bytes_per_rank(p, Exchange::ulysses) - lse);
      EXPECT_EQ(ring < ulysses, ranks < 1 + group) << ranks << " ranks, group " << group;
      EXPECT_DOUBLE_EQ(ring, static_cast<double>((ranks - 1) * 2 * 24 * 12 * 8 * 4));
    }
}

/// lse travels with the results of Ulysses and pass-Q, in fp32: it is what the plain formulas leave out.
TEST(AttentionIdeal, CountsTheLogSumExpsThatTravel) {
  const AttentionProblem p = problem(Layout::contiguous, 4, 64);  // 16 tokens a rank, 4 heads of 8, fp32
  EXPECT_DOUBLE_EQ(wire_bytes_per_rank(p, Exchange::ulysses), 0.75 * 16.0 * (16.0 * 8.0 * 4.0 + 4.0 * 4.0));
  EXPECT_DOUBLE_EQ(wire_bytes_per_rank(p, Exchange::pass_q), 3.0 * 16.0 * 4.0 * (8.0 * 4.0 + 9.0 * 4.0));
}

TEST(AttentionIdeal, ABackwardRingCarriesTheSumsOfTheGradients) {
  AttentionProblem p = problem(Layout::zigzag, 4, 64);
  p.dtype = DType::bf16;
  const double forward = wire_bytes_per_rank(p, Exchange::ring);
  p.pass = "bwd";
  EXPECT_DOUBLE_EQ(wire_bytes_per_rank(p, Exchange::ring), forward / 2.0 * (2.0 + 4.0))
      << "bf16 blocks, fp32 sums";
  EXPECT_DOUBLE_EQ(total(step_flops(p, Exchange::ring)), 10.0 * 8.0 * 4.0 * pair_count(p) / 4.0);
}

TEST(AttentionIdeal, BackwardExchangesCarryWhatTheirGradientsNeed) {
  AttentionProblem p = problem(Layout::zigzag, 4, 64);  // 16 tokens a rank, 4 heads of 8
  p.dtype = DType::bf16;
  p.pass = "bwd";
  // q dout k v there and dq dk dv back, two bytes each; lse and delta.
  EXPECT_DOUBLE_EQ(wire_bytes_per_rank(p, Exchange::ulysses),
                   0.75 * 16.0 * 4.0 * (7.0 * 8.0 * 2.0 + 2.0 * 4.0));
  EXPECT_DOUBLE_EQ(wire_bytes_per_rank(p, Exchange::pass_q),
                   3.0 * 16.0 * 4.0 * (2.0 * 8.0 * 2.0 + 2.0 * 4.0 + 8.0 * 4.0));
  for (const Exchange exchange : {Exchange::allgather, Exchange::double_ring})
    EXPECT_DOUBLE_EQ(wire_bytes_per_rank(p, exchange), wire_bytes_per_rank(p, Exchange::ring));
  p.kv_heads = 2;  // one replica each, so parts of dk and dv, in fp32
  EXPECT_DOUBLE_EQ(wire_bytes_per_rank(p, Exchange::ulysses),
                   0.75 * 16.0 * 4.0 * (5.0 * 8.0 * 2.0 + 2.0 * 8.0 * 4.0 + 2.0 * 4.0));
}

/// The examples of the page: F 600 TFLOP/s, bf16, causal, four query heads to a key/value head.
TEST(AttentionIdeal, TheKneeIsTheKnownShareOfTokens) {
  AttentionProblem p = problem(Layout::zigzag, 8, 1 << 20);
  p.dtype = DType::bf16;
  p.heads = 32;
  p.kv_heads = 8;
  const auto share_at_knee = [&](double bytes_per_s) {
    return static_cast<double>(p.seq) /
           knee_ranks(p, {.flops_per_s = 600e12, .link_bytes_per_s = bytes_per_s});
  };
  EXPECT_NEAR(share_at_knee(370e9), 0.8e3, 0.05e3);
  EXPECT_NEAR(share_at_knee(50e9), 6e3, 0.1e3);
  EXPECT_NEAR(share_at_knee(3e9), 100e3, 1e3);
}

TEST(AttentionIdeal, OverlapIsWholeBelowTheKneeAndFallsBeyondIt) {
  const AttentionProblem p = problem(Layout::zigzag, 4, 64);
  EXPECT_DOUBLE_EQ(overlap_efficiency(problem(Layout::zigzag, 1, 64), Exchange::ring, {1.0, 1.0, 1.0}), 1.0);
  const RankRates fast_link{.flops_per_s = 1.0, .link_latency_s = 1e-9, .link_bytes_per_s = 1e12};
  EXPECT_DOUBLE_EQ(overlap_efficiency(p, Exchange::ring, fast_link), 1.0) << "all hops are hidden";
  EXPECT_LT(overlap_efficiency(p, Exchange::allgather, fast_link), 1.0) << "nothing hides what comes first";
  // A hop of 1e6 s hides every step but the last: three hops and L^2 / 2 pairs, out of L (L + 1) / 2 + 3 L^2
  // / 2.
  const RankRates slow_link{.flops_per_s = 4.0 * 8.0 * 4.0, .link_latency_s = 1e6, .link_bytes_per_s = 1e12};
  const double compute = 136.0 + 3.0 * 128.0;  // L = 16 tokens a rank
  EXPECT_NEAR(overlap_efficiency(p, Exchange::ring, slow_link), compute / (3e6 + 128.0), 1e-12);
}

TEST(AttentionIdeal, TheExchangeIsInTheKernelsName) {
  EXPECT_EQ(exchange_of("attention/ring_cpu"), Exchange::ring);
  EXPECT_EQ(exchange_of("attention/ring_bwd_cpu"), Exchange::ring);
  EXPECT_EQ(exchange_of("attention/double_ring_cpu"), Exchange::double_ring);
  EXPECT_EQ(exchange_of("attention/pass_q_cpu"), Exchange::pass_q);
  EXPECT_EQ(exchange_of("attention/double_ring_bwd_cpu"), Exchange::double_ring);
  EXPECT_FALSE(exchange_of("attention/flash_tiled_cpu"));
}

}  // namespace
}  // namespace bench::attention
