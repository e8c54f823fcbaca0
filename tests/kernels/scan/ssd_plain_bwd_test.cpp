// SPDX-License-Identifier: Apache-2.0
// The launches of the ssd op's backward pass on ordinary lanes, run on the host thread by thread and held against the fp64 oracle.
#include "kernels/scan/ssd_plain_back.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "kernels/scan/ssd_plain_marks.hpp"
#include "tests/kernels/scan/ssd_bwd_host_launch.hpp"

namespace bench::scan {
namespace {

using support::run_blocks;
using test::with;

/// kMarkLanes as ssd_plain_bwd_cuda.cu has them.
template <class T, int kEach = 4, int kLanes = 4, int kRows = 1, int kMarkLanes = kLanes>
struct OnHost {
  static void launch(test::BwdHostCase& c, std::uint64_t seed) {
    using M = support::HostMachine;
    using Forwards = SsdPlainMarks<M, T, kMarkLanes, Towards::end>;
    using Backwards = SsdPlainMarks<M, T, kMarkLanes, Towards::begin>;
    using Main = SsdPlainBack<M, T, kEach, kLanes, kRows>;
    const SsdBwdJob job = c.job(), back = c.gradients();
    run_blocks(Forwards::blocks(job), Forwards::kThreads, Forwards::kSharedBytes, seed, [&] { Forwards(job).run(job.h0, job.h_last); });
    run_blocks(Backwards::blocks(back), Backwards::kThreads, Backwards::kSharedBytes, seed, [&] { Backwards(back).run(back.dh_last, back.dh0); });
    run_blocks(Main::blocks(job), Main::kThreads, Main::kSharedBytes, seed, [&] { Main(job).run(); });
    c.run_ends<T>(seed);
  }
};
using Few = OnHost<float>;  // up to 16 states
using Some = OnHost<float, 4, 16, 2>;
using Many = OnHost<float, 4, 32, 2>;
using Most = OnHost<float, 8, 32, 1, 64>;

Params one_head(std::int64_t seq, std::int64_t head_dim, std::int64_t state) { return with(test::one_head(seq, head_dim, state), "dtype", std::string("fp32")); }

TEST(SsdPlainBwd, EqualsTheOracleAtEveryEdgeOfATileAndAChunk) {
  for (const std::int64_t seq : {1, 7, 8, 9, 16, 17, 63, 64, 65, 140})  // tiles of 8, stages of 16, chunks of 64, three of them
    test::expect_the_oracles_gradients<Few>(one_head(seq, 9, 7));
}

TEST(SsdPlainBwd, TakesEveryWidthOfHeadsAndStates) {
  for (const std::int64_t head_dim : {1, 63, 65}) test::expect_the_oracles_gradients<Few>(one_head(20, head_dim, 16));  // a part of a head, two
  test::expect_the_oracles_gradients<Some>(one_head(70, 33, 61));  // elements twice over
  test::expect_the_oracles_gradients<Some>(one_head(20, 5, 17));   // most lanes have no state
  test::expect_the_oracles_gradients<Many>(one_head(20, 35, 128));
  test::expect_the_oracles_gradients<Many>(one_head(66, 3, 65));
  test::expect_the_oracles_gradients<Most>(one_head(20, 17, 256));
  test::expect_the_oracles_gradients<Most>(one_head(66, 3, 129));
}

TEST(SsdPlainBwd, AddsUpTheHeadsOfAGroup) {
  const Params heads = with(with(one_head(70, 5, 6), "heads", std::int64_t{4}), "groups", std::int64_t{2});
  test::expect_the_oracles_gradients<Few>(with(heads, "batch", std::int64_t{2}));
  test::expect_the_oracles_gradients<Few>(with(one_head(71, 3, 5), "heads", std::int64_t{9}));  // two shares, of an odd number of elements
}

TEST(SsdPlainBwd, TakesGatesLimitsAndTypes) {
  const Params heads = with(with(with(one_head(70, 5, 6), "heads", std::int64_t{2}), "gated", true), "dt_limit", std::string("0.005:0.02"));
  test::expect_the_oracles_gradients<Few>(heads);
  test::expect_the_oracles_gradients<Some>(with(one_head(20, 70, 33), "gated", true));
  test::expect_the_oracles_gradients<Most>(with(one_head(20, 9, 200), "gated", true));
  test::expect_the_oracles_gradients<OnHost<Bf16>>(with(heads, "dtype", std::string("bf16")));
  test::expect_the_oracles_gradients<OnHost<F16>>(with(heads, "dtype", std::string("fp16")));
}

TEST(SsdPlainBwd, PackedSequencesDoNotMeet) {
  const std::vector<std::int64_t> cuts[] = {{17, 64, 65, 66, 130}, {64, 128}, {8, 16, 149}};  // in a tile, at edges of chunks and tiles, of one step
  for (const auto& starts : cuts) test::expect_the_oracles_gradients<Few>(one_head(150, 6, 9), nullptr, starts);
}

/// An overflow of one sequence is no other's: states, or their gradients, that have become infinite are forgotten and not multiplied by zero.
TEST(SsdPlainBwd, OverflowsOfASequenceStayInIt) {
  for (const bool of_state : {true, false}) {
    const auto run = [&](float end) {
      test::BwdHostCase c(one_head(100, 3, 5), [&](Tensors& in) { in[of_state ? "h0" : "dh_last"].set(0, end); }, {20, 64, 71});
      Few::launch(c, 1);
      std::vector<double> others;  // of the sequences that do not have this end
      for (const char* name : {"dx", "dB", "dC"}) {
        const Tensor& all = c.outputs()[name];
        const std::int64_t each = all.count() / 100;
        for (std::int64_t at = (of_state ? 20 : 0) * each; at < (of_state ? 100 : 71) * each; ++at) others.push_back(all.at(at));
      }
      return others;
    };
    EXPECT_EQ(run(std::numeric_limits<float>::infinity()), run(0.0F)) << (of_state ? "h0" : "dh_last");
  }
}

TEST(SsdPlainBwd, DecaysThatSumsWouldLoseKeepTheirDigits) {
  for (const Spoil& spoil : test::hard_inputs()) test::expect_the_oracles_gradients<Few>(one_head(130, 8, 8), spoil);
}

TEST(SsdPlainBwd, AddsUpTheStepsOfMoreThanOneSpan) {
  test::expect_the_oracles_gradients<Few>(with(one_head(kSsdBwdSpan + 10, 3, 3), "batch", std::int64_t{2}));
}

TEST(SsdPlainBwd, BitsDoNotDependOnTheOrderOfThreads) {
  test::expect_bits_that_no_order_of_threads_changes<Few>(with(one_head(70, 20, 12), "heads", std::int64_t{9}));
  test::expect_bits_that_no_order_of_threads_changes<Some>(with(with(one_head(40, 40, 40), "heads", std::int64_t{2}), "gated", true));
}

}  // namespace
}  // namespace bench::scan
