// SPDX-License-Identifier: Apache-2.0
// The ssd op's kernel for ordinary lanes, run on the host thread by thread and held against the fp64 oracle.
#include "kernels/scan/ssd_plain.hpp"

#include <gtest/gtest.h>

#include "tests/kernels/scan/ssd_host_launch.hpp"

namespace bench::scan {
namespace {

using test::with;

template <class T, int kEach, int kLanes = 4>
struct OnHost {
  using Body = SsdPlain<support::HostMachine, T, kEach, kLanes>;
  static void launch(const SsdJob& job, std::uint64_t seed) {
    support::run_blocks(Body::blocks(job), Body::kThreads, Body::kSharedBytes, seed, [&] { Body(job).run(); });
  }
};

Params one_head(std::int64_t seq, std::int64_t head_dim, std::int64_t state) {
  return with(test::one_head(seq, head_dim, state), "dtype", std::string("fp32"));
}

TEST(SsdPlain, EqualsTheOracleAtEveryEdgeOfAStage) {
  for (const std::int64_t seq : {1, 15, 16, 17, 40}) test::expect_the_oracles_answer<OnHost<float, 4>>(one_head(seq, 64, 16));
}

TEST(SsdPlain, TakesEveryWidthOfHeadsAndStates) {
  for (const std::int64_t head_dim : {1, 63, 65}) test::expect_the_oracles_answer<OnHost<float, 4>>(one_head(20, head_dim, 7));
  test::expect_the_oracles_answer<OnHost<float, 16>>(one_head(20, 33, 61));
  test::expect_the_oracles_answer<OnHost<float, 32>>(one_head(20, 3, 128));
  test::expect_the_oracles_answer<OnHost<float, 32, 8>>(one_head(20, 3, 200));
}

TEST(SsdPlain, TakesHeadsGroupsGatesAndLimits) {
  const Params heads = with(with(with(one_head(40, 5, 6), "heads", std::int64_t{4}), "groups", std::int64_t{2}), "batch", std::int64_t{2});
  test::expect_the_oracles_answer<OnHost<float, 4>>(heads);
  test::expect_the_oracles_answer<OnHost<float, 4>>(with(with(heads, "gated", true), "dt_limit", std::string("0.01:0.02")));
  test::expect_the_oracles_answer<OnHost<Bf16, 4>>(with(with(heads, "gated", true), "dtype", std::string("bf16")));
  test::expect_the_oracles_answer<OnHost<F16, 4>>(with(heads, "dtype", std::string("fp16")));
}

TEST(SsdPlain, PackedSequencesDoNotMeet) {
  const std::vector<std::int64_t> starts{3, 16, 17, 39};
  test::expect_the_oracles_answer<OnHost<float, 4>>(one_head(40, 5, 6), nullptr, starts);
}

TEST(SsdPlain, DecaysThatSumsWouldLoseKeepTheirDigits) {
  for (const Spoil& spoil : test::hard_inputs())
    test::expect_the_oracles_answer<OnHost<float, 4>>(one_head(130, 8, 8), spoil);
}

}  // namespace
}  // namespace bench::scan
