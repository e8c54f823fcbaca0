// SPDX-License-Identifier: Apache-2.0
// The ssd op's three launches that cut time, run on the host thread by thread and held against the fp64 oracle.
#include "kernels/scan/ssd_split_mma.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "tests/kernels/scan/ssd_host_launch.hpp"

namespace bench::scan {
namespace {

using test::one_head;
using test::with;

template <class T, int kSteps, int kElements, int kStates>
struct OnHost {
  static void launch(SsdJob job, std::uint64_t seed) {
    using Machine = support::HostMachine;
    using States = SsdChunkStates<Machine, T, kSteps, kElements, kStates>;
    using Passing = SsdPassing<Machine, kSteps>;
    using Outputs = SsdChunkOutputs<Machine, T, kSteps, kElements, kStates>;
    const auto chunks = static_cast<std::size_t>(job.chunks(kSteps));
    const float nan = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> states(chunks * static_cast<std::size_t>(job.all_states()), nan), keep(chunks * static_cast<std::size_t>(job.all_heads()), nan);
    job.states = states.data();
    job.keep = keep.data();
    support::run_blocks(States::blocks(job), States::kThreads, States::kSharedBytes, seed, [&] { States::run(job); });
    support::run_blocks(Passing::blocks(job), Passing::kThreads, 0, seed, [&] { Passing::run(job, job.h0, job.h_last); });
    support::run_blocks(Outputs::blocks(job), Outputs::kThreads, Outputs::kSharedBytes, seed, [&] { Outputs::run(job); });
  }
};
using Small = OnHost<Bf16, 64, 64, 64>;

TEST(SsdSplitMma, EqualsTheOracleAtEveryEdgeOfAChunk) {
  for (const std::int64_t seq : {1, 63, 64, 65, 300}) test::expect_the_oracles_answer<Small>(one_head(seq, 64, 64));  // 300: more chunks than the passing reads at once
}

TEST(SsdSplitMma, TakesEveryWidthOfHeadsAndStates) {
  for (const std::int64_t head_dim : {8, 72}) test::expect_the_oracles_answer<Small>(one_head(70, head_dim, 40));  // a piece of a block, two of them
  test::expect_the_oracles_answer<OnHost<Bf16, 128, 64, 128>>(one_head(140, 40, 72));
  test::expect_the_oracles_answer<OnHost<Bf16, 64, 32, 256>>(one_head(66, 40, 200));
}

TEST(SsdSplitMma, TakesHeadsGroupsGatesAndLimits) {
  const Params heads = with(with(one_head(70, 16, 16), "heads", std::int64_t{4}), "groups", std::int64_t{2});
  test::expect_the_oracles_answer<Small>(with(heads, "batch", std::int64_t{2}));
  test::expect_the_oracles_answer<Small>(with(with(heads, "gated", true), "dt_limit", std::string("0.01:0.02")));
  test::expect_the_oracles_answer<OnHost<F16, 128, 64, 64>>(with(with(heads, "gated", true), "dtype", std::string("fp16")));
}

TEST(SsdSplitMma, PackedSequencesDoNotMeet) {
  const std::vector<std::int64_t> cuts[] = {{17, 64, 65, 66, 130}, {64, 128}};
  for (const auto& starts : cuts) test::expect_the_oracles_answer<Small>(one_head(150, 16, 32), nullptr, starts);
}

TEST(SsdSplitMma, DecaysThatSumsWouldLoseKeepTheirDigits) {
  for (const Spoil& spoil : test::hard_inputs())
    test::expect_the_oracles_answer<Small>(one_head(200, 32, 32), spoil);
}

}  // namespace
}  // namespace bench::scan
