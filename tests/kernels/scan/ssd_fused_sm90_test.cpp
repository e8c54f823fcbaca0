// SPDX-License-Identifier: Apache-2.0
// The ssd op's kernel for Hopper, run on the host thread by thread, its copies and products late, and held against the fp64 oracle.
#include "kernels/scan/ssd_fused_sm90.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/kernels/scan/ssd_host_launch.hpp"
#include "tests/support/host_hopper.hpp"

namespace bench::scan {
namespace {

using support::HostHopper;
using test::one_head;
using test::with;

template <class T, int kStates>
struct OnHost {
  using Body = SsdFusedSm90<HostHopper, T, 2, kStates>;
  static void launch(const SsdJob& job, std::uint64_t seed) {
    const auto map = [&](const void* base, int rows, int columns, int steps) {
      return support::HostTensorMap{static_cast<std::uint16_t*>(const_cast<void*>(base)), columns, rows, job.seq, 1, job.batch, steps};
    };
    const SsdSm90Job<HostHopper> hopper{job, map(job.x, job.heads, job.head_dim, kSm90Steps), map(job.b, job.groups, job.state, kSm90Steps),
                                        map(job.c, job.groups, job.state, kSm90Half)};
    support::run_blocks(Body::blocks(job), Body::kThreads, Body::kSharedBytes, seed, [&] { Body(hopper).run(); });
  }
};
using Small = OnHost<Bf16, 64>;
using Large = OnHost<Bf16, 128>;

Params heads(Params params, std::int64_t heads, std::int64_t groups) { return with(with(std::move(params), "heads", heads), "groups", groups); }

TEST(SsdFusedSm90, EqualsTheOracleAtEveryEdgeOfAChunk) {
  for (const std::int64_t seq : {1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 193}) test::expect_the_oracles_answer<Small>(one_head(seq, 64, 64));  // sixteens, halves, chunks
  for (const std::int64_t seq : {1, 64, 130}) test::expect_the_oracles_answer<Large>(one_head(seq, 64, 128));
}

TEST(SsdFusedSm90, KeepsItsPlacesApartOverManyRounds) {
  test::expect_the_oracles_answer<Small>(heads(one_head(650, 64, 64), 2, 1));  // six chunks: each ring's third round, two readers of each
  test::expect_the_oracles_answer<Large>(heads(one_head(650, 64, 128), 2, 1));
}

TEST(SsdFusedSm90, TakesEveryWidthOfHeadsAndStates) {
  for (const std::int64_t head_dim : {8, 32, 72, 136}) test::expect_the_oracles_answer<Small>(one_head(70, head_dim, 64));  // a piece of a part, half, two parts, three
  for (const std::int64_t state : {8, 16, 56}) test::expect_the_oracles_answer<Small>(heads(one_head(70, 64, state), 4, 2));
  for (const std::int64_t state : {72, 96}) test::expect_the_oracles_answer<Large>(heads(one_head(70, 40, state), 2, 2));
}

/// Neighbours in memory are other groups' states, other heads' elements, other entries' steps; odd numbers of parts leave a block with one.
TEST(SsdFusedSm90, TakesHeadsGroupsGatesAndLimits) {
  for (const auto& [h, g] : {std::pair<std::int64_t, std::int64_t>{4, 2}, {3, 1}, {6, 2}, {2, 2}})
    test::expect_the_oracles_answer<Small>(with(heads(one_head(70, 16, 16), h, g), "batch", std::int64_t{2}));
  test::expect_the_oracles_answer<Small>(with(heads(one_head(140, 72, 32), 3, 1), "gated", true));
  test::expect_the_oracles_answer<Small>(with(with(heads(one_head(70, 16, 16), 4, 2), "gated", true), "dt_limit", std::string("0.01:0.02")));
  test::expect_the_oracles_answer<OnHost<F16, 64>>(with(with(heads(one_head(70, 64, 16), 4, 2), "gated", true), "dtype", std::string("fp16")));
  test::expect_the_oracles_answer<OnHost<F16, 128>>(with(one_head(140, 64, 128), "dtype", std::string("fp16")));
}

TEST(SsdFusedSm90, PackedSequencesDoNotMeet) {
  const std::vector<std::int64_t> cuts[] = {{3}, {17, 64, 65, 66, 130}, {64, 128, 256}, {128}, {269}, {1}};  // in a half, at edges of halves and chunks, of one step
  for (const auto& starts : cuts) test::expect_the_oracles_answer<Small>(one_head(270, 16, 32), nullptr, starts);
}

TEST(SsdFusedSm90, DecaysThatSumsWouldLoseKeepTheirDigits) {
  for (const Spoil& spoil : test::hard_inputs()) {
    test::expect_the_oracles_answer<Small>(one_head(260, 32, 32), spoil);
    test::expect_the_oracles_answer<OnHost<F16, 64>>(with(one_head(260, 32, 32), "dtype", std::string("fp16")), spoil);
  }
}

/// Entries and heads that are not a number stay alone with it: what lies behind an entry's last step is read as zero, not as the next entry's.
TEST(SsdFusedSm90, NeighboursThatAreNoNumbersDoNotSpread) {
  const Params two = with(heads(one_head(70, 16, 16), 2, 2), "batch", std::int64_t{2});
  test::HostCase clean(two), spoilt(two, [](Tensors& inputs) {
    const auto nan_behind_the_first = [&](const char* name, std::int64_t group_elements) {  // all but (entry 0, head or group 0)
      fill(inputs, name, [=](std::int64_t i) { return i >= 70 * 2 * group_elements || i / group_elements % 2 == 1 ? NAN : 0.25; });
    };
    for (const char* name : {"x", "B", "C"}) nan_behind_the_first(name, 16);
  });
  for (const char* name : {"x", "B", "C"}) fill(clean.inputs, name, [](std::int64_t) { return 0.25; });
  Small::launch(clean.job(), 1);
  Small::launch(spoilt.job(), 1);
  const auto first_head = [](const test::HostCase& c, std::int64_t t, std::int64_t element) { return c.outputs["out"].at((t * 2 + 0) * 16 + element); };
  for (std::int64_t t = 0; t < 70; ++t)
    for (std::int64_t element = 0; element < 16; ++element) EXPECT_EQ(first_head(spoilt, t, element), first_head(clean, t, element)) << "step " << t << " element " << element;
  for (std::int64_t i = 0; i < 16 * 16; ++i) EXPECT_EQ(spoilt.outputs["h_last"].at(i), clean.outputs["h_last"].at(i)) << "state " << i;
}

TEST(SsdFusedSm90, BitsDoNotDependOnTheOrderOfThreads) {
  const auto run = [](std::uint64_t seed) {
    test::HostCase c(heads(one_head(270, 64, 64), 2, 1));
    Small::launch(c.job(), seed);
    return std::move(c.outputs);
  };
  const Tensors one = run(1), other = run(7);
  for (const auto& [name, tensor] : one.all()) EXPECT_EQ(std::memcmp(tensor.data(), other[name].data(), static_cast<std::size_t>(tensor.bytes())), 0) << name;
}

}  // namespace
}  // namespace bench::scan
