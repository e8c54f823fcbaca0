// SPDX-License-Identifier: Apache-2.0
// The ssd op's fused kernel on tensor cores, run on the host thread by thread and held against the fp64 oracle.
#include "kernels/scan/ssd_fused_mma.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/kernels/scan/ssd_host_launch.hpp"

namespace bench::scan {
namespace {

using test::one_head;
using test::with;

template <class T, int kSteps, int kElements, int kStates>
struct OnHost {
  using Body = SsdFusedMma<support::HostMachine, T, kSteps, kElements, kStates>;
  static void launch(const SsdJob& job, std::uint64_t seed) {
    support::run_blocks(Body::blocks(job), Body::kThreads, Body::kSharedBytes, seed, [&] { Body(job).run(); });
  }
};
using Small = OnHost<Bf16, 64, 64, 64>;

TEST(SsdFusedMma, EqualsTheOracleAtEveryEdgeOfAChunk) {
  for (const std::int64_t seq : {1, 15, 16, 17, 63, 64, 65, 130}) test::expect_the_oracles_answer<Small>(one_head(seq, 64, 64));  // sixteens, chunks, three of them
}

TEST(SsdFusedMma, TakesEveryWidthOfHeadsAndStates) {
  for (const std::int64_t head_dim : {8, 32, 72}) test::expect_the_oracles_answer<Small>(one_head(70, head_dim, 64));  // a piece of a block, half, two of them
  for (const std::int64_t state : {8, 16, 56}) test::expect_the_oracles_answer<Small>(one_head(70, 64, state));
  test::expect_the_oracles_answer<OnHost<Bf16, 64, 64, 128>>(one_head(70, 64, 128));
  test::expect_the_oracles_answer<OnHost<Bf16, 64, 64, 128>>(one_head(70, 40, 72));
  test::expect_the_oracles_answer<OnHost<Bf16, 64, 32, 256>>(one_head(66, 40, 200));
}

TEST(SsdFusedMma, TakesChunksOfEverySize) {
  test::expect_the_oracles_answer<OnHost<Bf16, 128, 64, 64>>(one_head(130, 64, 64));
  test::expect_the_oracles_answer<OnHost<Bf16, 128, 64, 128>>(one_head(140, 64, 128));
  test::expect_the_oracles_answer<OnHost<Bf16, 256, 64, 64>>(one_head(300, 64, 64));
  test::expect_the_oracles_answer<OnHost<Bf16, 256, 64, 128>>(one_head(260, 64, 128));
  test::expect_the_oracles_answer<OnHost<Bf16, 128, 32, 256>>(one_head(130, 32, 256));
}

TEST(SsdFusedMma, TakesHeadsGroupsGatesAndLimits) {
  const Params heads = with(with(one_head(70, 16, 16), "heads", std::int64_t{4}), "groups", std::int64_t{2});
  test::expect_the_oracles_answer<Small>(with(heads, "batch", std::int64_t{2}));
  test::expect_the_oracles_answer<Small>(with(with(heads, "gated", true), "dt_limit", std::string("0.01:0.02")));
  test::expect_the_oracles_answer<OnHost<F16, 64, 64, 64>>(with(with(heads, "gated", true), "dtype", std::string("fp16")));
}

TEST(SsdFusedMma, PackedSequencesDoNotMeet) {
  const std::vector<std::int64_t> cuts[] = {{3}, {17, 64, 65, 66, 130}, {64, 128}, {149}, {1}};  // in a chunk, at its edges, of one step
  for (const auto& starts : cuts) test::expect_the_oracles_answer<Small>(one_head(150, 16, 32), nullptr, starts);
  test::expect_the_oracles_answer<OnHost<Bf16, 128, 64, 64>>(one_head(150, 16, 32), nullptr, {40, 135});
}

TEST(SsdFusedMma, DecaysThatSumsWouldLoseKeepTheirDigits) {
  for (const Spoil& spoil : test::hard_inputs()) {
    test::expect_the_oracles_answer<Small>(one_head(130, 32, 32), spoil);
    test::expect_the_oracles_answer<OnHost<F16, 128, 64, 64>>(with(one_head(130, 32, 32), "dtype", std::string("fp16")), spoil);
  }
}

TEST(SsdFusedMma, BitsDoNotDependOnTheOrderOfThreads) {
  const auto run = [](std::uint64_t seed) {
    test::HostCase c(one_head(150, 64, 64));
    Small::launch(c.job(), seed);
    return std::move(c.outputs);
  };
  const Tensors one = run(1), other = run(7);
  for (const auto& [name, tensor] : one.all()) EXPECT_EQ(std::memcmp(tensor.data(), other[name].data(), static_cast<std::size_t>(tensor.bytes())), 0) << name;
}

}  // namespace
}  // namespace bench::scan
