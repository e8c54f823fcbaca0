// SPDX-License-Identifier: Apache-2.0
// Bytes that each distributed kernel really sends, counted by the Link, against closed forms. P ranks, n = L
// / P rows each, e bytes an element, a bytes of the accumulator's type (4; 8 for fp64), per rank:
//   ring, double ring, all-gather   (P-1) 2 B n Hkv D e
//   pass-Q                          (P-1) B n H D e  and results back  (P-1) B n H (D + 1) a
//   Ulysses                         (P-1)/P (2H + 2 max(Hkv, P)) B n D e  and lse back  (P-1)/P B n H a
// The last one for P dividing H, and Hkv and P dividing one another: below P, key/value heads are replicated.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/kernels/attention/distributed_cases.hpp"

namespace bench::attention {
namespace {

std::int64_t element_bytes(const AttentionProblem& p) {
  return size_of(p.dtype);
}
std::int64_t state_bytes(const AttentionProblem& p) {
  return p.dtype == DType::f64 ? 8 : 4;
}
std::int64_t rows(const AttentionProblem& p) {
  return p.batch * p.seq / p.ranks;
}

std::int64_t ring_bytes(const AttentionProblem& p) {
  return (p.ranks - 1) * 2 * rows(p) * p.kv_heads * p.head_dim * element_bytes(p);
}
std::int64_t pass_q_bytes(const AttentionProblem& p) {
  const std::int64_t out = rows(p) * p.heads * p.head_dim * element_bytes(p);
  const std::int64_t back = rows(p) * p.heads * (p.head_dim + 1) * state_bytes(p);
  return (p.ranks - 1) * (out + back);
}
/// What the spread of log-sum-exps, an output of the op, adds to Ulysses.
std::int64_t lse_bytes(const AttentionProblem& p) {
  return (p.ranks - 1) * rows(p) * p.heads / p.ranks * state_bytes(p);
}
std::int64_t ulysses_bytes(const AttentionProblem& p) {
  const std::int64_t width = 2 * p.heads + 2 * std::max(p.kv_heads, p.ranks);
  return (p.ranks - 1) * rows(p) * width / p.ranks * p.head_dim * element_bytes(p) + lse_bytes(p);
}

DistributedRun run(const std::string& kernel, const AttentionProblem& p) {
  return run_distributed(distributed(kernel), p, support::make_inputs(support::find_op("attention"), p, 1));
}

void expect_every_rank_sends(const std::string& kernel, const AttentionProblem& p, std::int64_t bytes) {
  const DistributedRun counted = run(kernel, p);
  for (std::size_t r = 0; r < counted.bytes_sent.size(); ++r)
    EXPECT_EQ(counted.bytes_sent[r], bytes) << kernel << " rank " << r << " " << text_of(p);
}

class WireBytes : public ::testing::TestWithParam<DType> {};

TEST_P(WireBytes, EqualTheClosedForms) {
  constexpr DistributedSize kHeads[] = {
      {1, 8, 8, 32, 32}, {2, 8, 2, 32, 16}, {1, 8, 1, 32, 16}};  // MHA GQA MQA
  for (const DistributedSize& size : kHeads) {
    for (const std::int64_t ranks : {1, 2, 4, 8}) {
      // Layout moves rows between ranks, not bytes: striped stands for all of them.
      const auto p = distributed_problem(size, GetParam(), true, Layout::striped, ranks);
      for (const char* kernel : {"ring_cpu", "double_ring_cpu", "allgather_cpu"})
        expect_every_rank_sends(kernel, p, ring_bytes(p));
      expect_every_rank_sends("pass_q_cpu", p, pass_q_bytes(p));
      expect_every_rank_sends("ulysses_cpu", p, ranks == 1 ? 0 : ulysses_bytes(p));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, WireBytes, ::testing::Values(DType::f64, DType::f32, DType::bf16, DType::f16),
                         [](const auto& which) { return std::string(bench::to_text(which.param)); });

TEST(WireBytesOfRaggedShares, AddUpToTheClosedFormWithoutPadding) {
  // 31 = 7 + 6 + 6 + 6 + 6 rows; every share crosses P - 1 hops, whoever holds it.
  const auto p = distributed_problem({1, 10, 5, 31, 16}, DType::f32, true, Layout::contiguous, 5);
  auto whole = p;
  whole.seq = p.seq * p.ranks;  // as if one rank's share were all 31 rows: the sum over ranks
  for (const char* kernel : {"ring_cpu", "double_ring_cpu", "allgather_cpu"})
    EXPECT_EQ(run(kernel, p).total_bytes(), ring_bytes(whole)) << kernel;
  EXPECT_EQ(run("pass_q_cpu", p).total_bytes(), pass_q_bytes(whole));
  EXPECT_EQ(run("ulysses_cpu", p).total_bytes(), ulysses_bytes(whole));
}

TEST(WireBytesOfRaggedShares, AreZeroForEmptyRanks) {
  const auto p = distributed_problem({1, 4, 4, 2, 16}, DType::f32, true, Layout::contiguous, 4);
  // Ranks 0 and 1 hold a row each, 2 and 3 none; an all-gather sends only what one holds.
  const auto counted = run("allgather_cpu", p);
  EXPECT_GT(counted.bytes_sent[1], 0);
  EXPECT_EQ(counted.bytes_sent[2], 0);
  EXPECT_EQ(counted.bytes_sent[3], 0);
}

/// Without the log-sum-exps, which the rule does not count.
std::int64_t counted_ulysses(const AttentionProblem& p) {
  return run("ulysses_cpu", p).bytes_sent[0] - lse_bytes(p);
}

TEST(RingAgainstUlysses, MovesLessIffThereAreFewerRanksThanOnePlusTheGroup) {
  int less = 0, more = 0, equal = 0;
  for (const std::int64_t heads : {8, 16}) {
    for (const std::int64_t kv_heads : {1, 2, 4, 8, 16}) {
      for (const std::int64_t ranks : {2, 4, 8}) {
        if (heads % kv_heads != 0) continue;
        const auto p =
            distributed_problem({1, heads, kv_heads, 16, 16}, DType::f32, false, Layout::contiguous, ranks);
        const std::int64_t ring = run("ring_cpu", p).bytes_sent[0], ulysses = counted_ulysses(p);
        EXPECT_EQ(ring < ulysses, ranks < 1 + heads / kv_heads) << text_of(p);
        less += ring < ulysses ? 1 : 0;
        more += ring > ulysses ? 1 : 0;
        equal += ring == ulysses ? 1 : 0;
      }
    }
  }
  // Both sides and the border itself were met.
  EXPECT_GT(less, 0);
  EXPECT_GT(more, 0);
  EXPECT_GT(equal, 0);
}

TEST(PassQ, SendsAsMuchWhateverTheNumberOfKeyHeads) {
  const auto bytes = [](std::int64_t kv_heads) {
    return run("pass_q_cpu",
               distributed_problem({1, 8, kv_heads, 24, 16}, DType::bf16, true, Layout::zigzag, 3))
        .total_bytes();
  };
  EXPECT_EQ(bytes(1), bytes(8));
}

}  // namespace
}  // namespace bench::attention
