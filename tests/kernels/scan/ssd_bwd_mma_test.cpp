// SPDX-License-Identifier: Apache-2.0
// The launches of the ssd op's backward pass on tensor cores, run on the host thread by thread and held against the fp64 oracle.
#include "kernels/scan/ssd_bwd_mma.hpp"

#include <gtest/gtest.h>

#include "kernels/scan/ssd_split_mma.hpp"
#include "tests/kernels/scan/ssd_bwd_host_launch.hpp"

namespace bench::scan {
namespace {

using support::run_blocks;
using test::one_head;
using test::with;

template <class T, int kStates>
struct OnHost {
  static void launch(test::BwdHostCase& c, std::uint64_t seed) {
    using M = support::HostMachine;
    using Main = SsdBwdMma<M, T, kStates>;
    using States = SsdChunkStates<M, T, kSsdBwdSteps, kSsdBwdElements, kStates, Towards::end>;
    using Gradients = SsdChunkStates<M, T, kSsdBwdSteps, kSsdBwdElements, kStates, Towards::begin>;
    using Gates = SsdChunkOutputs<M, T, kSsdBwdSteps, kSsdBwdElements, kStates>;
    using Forwards = SsdPassing<M, kSsdBwdSteps>;
    using Backwards = SsdPassing<M, kSsdBwdSteps, Towards::begin>;
    const SsdBwdJob job = c.job(), back = c.gradients();
    run_blocks(States::blocks(job), States::kThreads, States::kSharedBytes, seed, [&] { States::run(job); });
    run_blocks(Forwards::blocks(job), Forwards::kThreads, 0, seed, [&] { Forwards::run(job, job.h0, job.h_last); });
    if (job.z != nullptr) run_blocks(Gates::blocks(job), Gates::kThreads, Gates::kSharedBytes, seed, [&] { Gates::run(job); });
    run_blocks(Gradients::blocks(back), Gradients::kThreads, Gradients::kSharedBytes, seed, [&] { Gradients::run(back); });
    run_blocks(Backwards::blocks(back), Backwards::kThreads, 0, seed, [&] { Backwards::run(back, back.dh_last, back.dh0); });
    run_blocks(Main::blocks(job), Main::kThreads, Main::kSharedBytes, seed, [&] { Main(job).run(); });
    c.run_ends<T>(seed);
  }
};

template <class T = Bf16, int kStates = 64>
void expect_the_oracles_answer(const Params& changes, const Spoil& spoil = nullptr, const std::vector<std::int64_t>& starts = {}) {
  test::expect_the_oracles_gradients<OnHost<T, kStates>>(changes, spoil, starts);
}

TEST(SsdBwdMma, EqualsTheOracleAtEveryEdgeOfAChunk) {
  for (const std::int64_t seq : {1, 15, 16, 17, 63, 64, 65, 140}) expect_the_oracles_answer(one_head(seq, 64, 64));  // sixteens, chunks, three of them
}

TEST(SsdBwdMma, TakesEveryWidthOfHeadsAndStates) {
  for (const std::int64_t head_dim : {8, 72}) expect_the_oracles_answer(one_head(70, head_dim, 40));  // a piece of a block, two of them
  expect_the_oracles_answer<Bf16, 128>(one_head(70, 64, 128));
  expect_the_oracles_answer<Bf16, 128>(one_head(66, 16, 72));
}

TEST(SsdBwdMma, AddsUpTheHeadsOfAGroup) {
  const Params heads = with(with(one_head(70, 16, 16), "heads", std::int64_t{4}), "groups", std::int64_t{2});
  expect_the_oracles_answer(with(heads, "batch", std::int64_t{2}));
  expect_the_oracles_answer(with(with(heads, "heads", std::int64_t{18}), "groups", std::int64_t{2}));  // nine a group: two shares
}

TEST(SsdBwdMma, TakesGatesAndLimits) {
  const Params heads = with(with(with(one_head(70, 24, 16), "heads", std::int64_t{2}), "gated", true), "dt_limit", std::string("0.005:0.02"));
  expect_the_oracles_answer(heads);
  expect_the_oracles_answer<F16>(with(heads, "dtype", std::string("fp16")));
}

TEST(SsdBwdMma, PackedSequencesDoNotMeet) {
  const std::vector<std::int64_t> cuts[] = {{17, 64, 65, 66, 130}, {64, 128}, {149}};  // in a chunk, at its edges, of one step
  for (const auto& starts : cuts) expect_the_oracles_answer(one_head(150, 16, 32), nullptr, starts);
}

TEST(SsdBwdMma, DecaysThatSumsWouldLoseKeepTheirDigits) {
  for (const Spoil& spoil : test::hard_inputs()) expect_the_oracles_answer(one_head(130, 32, 32), spoil);
}

TEST(SsdBwdMma, AddsUpTheStepsOfMoreThanOneSpan) {
  expect_the_oracles_answer(with(one_head(kSsdBwdSpan + 10, 8, 8), "batch", std::int64_t{2}));
}

TEST(SsdBwdMma, BitsDoNotDependOnTheOrderOfThreads) {
  test::expect_bits_that_no_order_of_threads_changes<OnHost<Bf16, 64>>(with(one_head(100, 32, 32), "heads", std::int64_t{3}));
}

}  // namespace
}  // namespace bench::scan
