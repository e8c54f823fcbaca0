// SPDX-License-Identifier: Apache-2.0
// The device's walk over the selective scan's steps, run on the host thread by thread and held against the fp64 oracle.
#include "kernels/scan/selective_walk.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/scan/selective_poly.hpp"
#include "tests/kernels/scan/selective_host.hpp"

namespace bench::scan {
namespace {

using test::HostSelective;
using test::sizes;
using test::typed;
using Machine = support::HostMachine;

template <class T, class Shape>
using Output = SelectiveWalk<Machine, T, Shape, Walk::output>;

using Fine16 = LaneShape<4, 4, 1>;   // 32 channels a block, tiles of 32 steps
using Dense16 = LaneShape<8, 2, 2>;  // 128 channels, tiles of 16

template <class T, class Shape>
void expect_like_the_oracle(const Params& params, const Spoil& spoil = nullptr) {
  SCOPED_TRACE(text_of(params));
  HostSelective c(typed<T>(params), spoil);
  test::run_body<Output<T, Shape>>(c.job());
  c.expect_the_oracles_answer();
}

TEST(SelectiveWalk, EqualsTheOracleAtEveryEdgeOfATile) {
  for (const std::int64_t seq : {1, 31, 32, 33, 65}) expect_like_the_oracle<Bf16, Fine16>(sizes(1, seq, 40, 16));  // 40 channels: a block and a quarter
  for (const std::int64_t seq : {1, 15, 16, 17, 33}) expect_like_the_oracle<Bf16, Dense16>(sizes(1, seq, 136, 16));
}

TEST(SelectiveWalk, TakesChannelsAndStatesThatAreNoWholePieces) {
  for (const std::int64_t channels : {1, 7, 31, 33, 34}) expect_like_the_oracle<Bf16, Fine16>(sizes(2, 35, channels, 13));
  expect_like_the_oracle<Bf16, Dense16>(sizes(1, 20, 129, 9));
  expect_like_the_oracle<float, Fine16>(sizes(1, 35, 33, 3));
  expect_like_the_oracle<float, Dense16>(sizes(1, 18, 130, 16));
  expect_like_the_oracle<F16, Fine16>(sizes(1, 35, 48, 16));
}

TEST(SelectiveWalk, TakesEveryShapeOfLanes) {
  expect_like_the_oracle<Bf16, LaneShape<4, 2, 1>>(sizes(1, 33, 72, 8));
  expect_like_the_oracle<F16, LaneShape<8, 1, 1>>(sizes(1, 17, 136, 8));
  expect_like_the_oracle<Bf16, LaneShape<8, 1, 1>>(sizes(1, 17, 20, 4));
  expect_like_the_oracle<Bf16, LaneShape<8, 4, 2>>(sizes(1, 33, 72, 32));
  expect_like_the_oracle<float, LaneShape<8, 8, 2>>(sizes(1, 17, 36, 64));
  expect_like_the_oracle<Bf16, LaneShape<8, 16, 2>>(sizes(1, 17, 24, 128));
  expect_like_the_oracle<Bf16, LaneShape<8, 32, 2>>(sizes(1, 17, 16, 256));
  expect_like_the_oracle<float, LaneShape<8, 32, 2>>(sizes(1, 17, 5, 200));
}

TEST(SelectiveWalk, ChannelsReadTheirOwnGroup) {
  expect_like_the_oracle<Bf16, Fine16>(sizes(2, 33, 120, 16, 3));   // 40 channels a group: two blocks each
  expect_like_the_oracle<Bf16, Fine16>(sizes(1, 33, 45, 16, 3));    // 15: rows of a group begin anywhere
  expect_like_the_oracle<float, Dense16>(sizes(1, 17, 264, 16, 2));
}

TEST(SelectiveWalk, BeginsPackedSequencesAtZero) {
  expect_like_the_oracle<Bf16, Fine16>(sizes(2, 100, 36, 16, 1, 9));
  expect_like_the_oracle<float, Dense16>(sizes(1, 40, 130, 16, 1, 40));  // each step a sequence
}

TEST(SelectiveWalk, KeepsWhatUnderflowsAndOverflowsApart) {
  const auto steep = [](Tensors& in) {
    fill(in, "delta", [](std::int64_t i) { return i % 3 == 0 ? -100.0 : i % 3 == 1 ? 100.0 : 0.0; });
    fill(in, "z", [](std::int64_t i) { return i % 2 == 0 ? -120.0 : 120.0; });
    fill(in, "delta_bias", [](std::int64_t) { return 0.0; });
  };
  expect_like_the_oracle<float, Fine16>(sizes(1, 40, 33, 16), steep);  // decays of e^-1600 and of 1
  const auto still = [](Tensors& in) {
    fill(in, "A", [](std::int64_t) { return 0.0; });
    fill(in, "delta", [](std::int64_t) { return -30.0; });
  };
  expect_like_the_oracle<float, Fine16>(sizes(1, 40, 33, 16, 1, 3), still);
}

TEST(SelectivePoly, HasTheUnitsDigits) {
  double worst = 0.0;
  for (float x = -126.0F; x < 127.0F; x += 0.00171F) worst = std::max(worst, std::abs(exp2_by_polynomial<Machine>(x) / std::exp2(static_cast<double>(x)) - 1.0));
  EXPECT_LE(worst, 2e-7);
  EXPECT_EQ(exp2_by_polynomial<Machine>(0.0F), 1.0F) << "no decay is none";
  EXPECT_EQ(exp2_by_polynomial<Machine>(-1e6F), 0x1p-126F);
  EXPECT_EQ(exp2_by_polynomial<Machine>(-INFINITY), 0x1p-126F);
}

TEST(SelectivePoly, EqualsTheOracle) {
  const auto check = [&]<class Shape>() {
    HostSelective c(typed<Bf16>(sizes(1, 40, 130, 16, 1, 3)));
    test::run_body<SelectiveWalk<Machine, Bf16, Shape, Walk::output, SharedExp<Machine, 8>>>(c.job());
    c.expect_the_oracles_answer();
  };
  check.operator()<Fine16>();
  check.operator()<Dense16>();
}

/// States that chunks leave, their combination, and outputs from those.
template <class T, class Shape>
void expect_chunks_like_the_oracle(const Params& params, std::int64_t chunk, const Spoil& spoil = nullptr) {
  SCOPED_TRACE(concat(text_of(params), " chunk ", chunk));
  HostSelective c(typed<T>(params), spoil);
  SelectiveJob job = c.job();
  job.chunk = chunk;
  job.chunks = static_cast<int>(ceil_div(c.p().seq, chunk));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> states(static_cast<std::size_t>(c.p().batch * job.chunks * c.p().channels * c.p().state), nan), sums(states.size() / static_cast<std::size_t>(c.p().state), nan);
  job.states = states.data();
  job.delta_sums = sums.data();
  if (job.chunks > 1) test::run_body<SelectiveWalk<Machine, T, Shape, Walk::carry>>(job);
  using Combine = SelectiveCombine<Machine>;
  support::run_blocks(static_cast<int>(Combine::blocks(job)), Combine::kThreads, 0, 1, [&] { Combine::run(job); });
  test::run_body<Output<T, Shape>>(job);
  c.expect_the_oracles_answer();
}

TEST(SelectiveChunks, EqualTheOracleWhateverTheirNumber) {
  for (const std::int64_t seq : {31, 32, 33, 65, 130}) expect_chunks_like_the_oracle<Bf16, Fine16>(sizes(2, seq, 33, 16), 32);
  expect_chunks_like_the_oracle<float, Dense16>(sizes(1, 130, 130, 13), 64);
  expect_chunks_like_the_oracle<float, LaneShape<8, 8, 2>>(sizes(2, 70, 10, 40, 2), 32);
}

TEST(SelectiveChunks, ForgetWhatLiesBeforeAPackedSequence) {
  expect_chunks_like_the_oracle<float, Fine16>(sizes(2, 150, 33, 16, 1, 6), 32);
  expect_chunks_like_the_oracle<float, Fine16>(sizes(1, 100, 5, 16, 1, 100), 32);
}

// exp(A sum d) of an infinite sum is no number then.
TEST(SelectiveChunks, ForgetItEvenWhereNothingDecays) {
  const auto still = [](Tensors& in) { fill(in, "A", [](std::int64_t) { return 0.0; }); };
  expect_chunks_like_the_oracle<float, Fine16>(sizes(1, 150, 33, 16, 1, 6), 32, still);
}

TEST(SelectiveChunks, AreAsManyAsFillTheDeviceOnce) {
  EXPECT_EQ(plan_chunks(64, 65536, 528).chunks, 8);
  EXPECT_EQ(plan_chunks(300, 65536, 528).chunks, 1) << "two chunks would cost what they gain";
  EXPECT_EQ(plan_chunks(1, 300, 528).chunk, 64) << "no shorter ones";
  for (const std::int64_t steps : {1, 63, 64, 65, 1000, 4097}) {
    const ChunkPlan plan = plan_chunks(3, steps, 100);
    EXPECT_EQ(plan.chunk % kStartBits, 0);
    EXPECT_GE(plan.chunks * plan.chunk, steps);
    EXPECT_LT((plan.chunks - 1) * plan.chunk, steps) << "none is empty";
    EXPECT_LE(plan.chunks, 33);
  }
}

TEST(SelectivePart, IsEveryChannelOfEveryGroupOnce) {
  SelectiveProblem p;
  p.batch = 3, p.seq = 100, p.channels = 90, p.groups = 2;
  SelectiveJob job = selective_job(p);
  job.chunk = 32, job.chunks = 4;
  std::vector<int> seen(static_cast<std::size_t>(p.batch * 4 * p.channels));
  const std::int64_t blocks = SelectivePart::blocks(job, 32, 4);
  ASSERT_EQ(blocks, 4 * 3 * 2 * 2);
  for (int block = 0; block < blocks; ++block) {
    const SelectivePart part(job, block, 32);
    EXPECT_EQ(part.begin, part.chunk * 32);
    EXPECT_EQ(part.end, std::min<std::int64_t>(part.begin + 32, 100));
    for (int c = part.channel; c < part.channel + part.count; ++c) {
      EXPECT_EQ(c / 45, part.group);
      ++seen[static_cast<std::size_t>((part.entry * 4 + part.chunk) * p.channels + c)];
    }
  }
  EXPECT_EQ(std::ranges::count(seen, 1), std::ssize(seen));
}

}  // namespace
}  // namespace bench::scan
