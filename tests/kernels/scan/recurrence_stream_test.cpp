// SPDX-License-Identifier: Apache-2.0
// The device's recurrence kernels whose blocks go through tiles one after the other, run on the host thread by thread and held against the fp64 oracle.
#include "kernels/scan/recurrence_stream.hpp"

#include <gtest/gtest.h>

#include "tests/kernels/scan/recurrence_host_launch.hpp"

namespace bench::scan {
namespace {

using test::HostMachine;
using test::HostRecurrence;
using test::packed;
using test::shape;

template <class Tile>
void expect_stream(const Params& params, const Spoil& spoil = nullptr) {
  SCOPED_TRACE(text_of(params));
  HostRecurrence c(params, spoil);
  c.launch<RecurrenceStream<HostMachine, Tile>>();
  c.expect_the_oracles_answer();
}

constexpr Sweep kForward = Sweep::forward, kBackward = Sweep::backward;

TEST(RecurrenceRowsOnDevice, EqualTheOracleAtEveryEdgeOfAPieceAndATile) {
  for (const std::int64_t seq : {1, 3, 4, 5, 127, 129, 1023, 1024, 1025, 2049}) {  // pieces of 4, warps of 128, tiles of 1024 steps
    expect_stream<test::Rows<float, kForward>>(shape("last", 1, seq, 3));        // three rows: L odd begins everywhere in a piece
    expect_stream<test::Rows<float, kBackward>>(shape("last", 1, seq, 3, "fp32", "bwd"));
  }
}

TEST(RecurrenceRowsOnDevice, TakeElementsOf16Bits) {
  for (const std::int64_t seq : {1, 7, 8, 9, 2047, 2050}) {  // pieces of 8, tiles of 2048 steps
    expect_stream<test::Rows<Bf16, kForward>>(shape("last", 2, seq, 3, "bf16"));
    expect_stream<test::Rows<F16, kBackward>>(shape("last", 1, seq, 5, "fp16", "bwd"));
  }
  expect_stream<test::LongRows<Bf16, kBackward>>(shape("last", 1, 4099, 2, "bf16", "bwd"));  // two pieces a thread
  expect_stream<test::LongRows<float, kForward>>(shape("last", 1, 2051, 2));
}

TEST(RecurrenceRowsOnDevice, TakePackedSequences) {
  for (const std::int64_t segments : {2, 40, 1030}) {  // one across a tile, some in every warp, nothing but single steps but one
    expect_stream<test::Rows<float, kForward>>(packed(shape("last", 1, 1031, 3), segments));
    expect_stream<test::Rows<float, kBackward>>(packed(shape("last", 1, 1031, 3, "fp32", "bwd"), segments));
    expect_stream<test::Rows<Bf16, kBackward>>(packed(shape("last", 1, 1037, 3, "bf16", "bwd"), segments));
  }
}

TEST(RecurrenceLinesOnDevice, EqualTheOracleAtEveryEdgeOfAWarpsStepsAndATile) {
  for (const std::int64_t seq : {1, 3, 4, 5, 31, 32, 33, 97}) {  // warps of 4, tiles of 32 steps
    for (const std::int64_t channels : {1, 33}) {
      expect_stream<test::Lines<float, kForward>>(shape("middle", 2, seq, channels));
      expect_stream<test::Lines<float, kBackward>>(shape("middle", 2, seq, channels, "fp32", "bwd"));
    }
  }
}

TEST(RecurrenceLinesOnDevice, TakePairsOf16BitChannels) {
  for (const std::int64_t channels : {2, 62, 64, 66}) {
    expect_stream<test::Lines<Bf16, kForward, 2>>(shape("middle", 2, 70, channels, "bf16"));
    expect_stream<test::Lines<F16, kBackward, 2>>(shape("middle", 2, 70, channels, "fp16", "bwd"));
  }
  expect_stream<test::Lines<Bf16, kBackward, 1>>(shape("middle", 2, 41, 35, "bf16", "bwd"));
}

TEST(RecurrenceLinesOnDevice, TakePackedSequences) {
  for (const std::int64_t segments : {2, 12, 76}) {
    expect_stream<test::Lines<float, kForward>>(packed(shape("middle", 2, 77, 5), segments));
    expect_stream<test::Lines<float, kBackward>>(packed(shape("middle", 2, 77, 5, "fp32", "bwd"), segments));
    expect_stream<test::Lines<Bf16, kBackward, 2>>(packed(shape("middle", 2, 77, 6, "bf16", "bwd"), segments));
  }
}

/// Each value has broken a scan: products of decays that overflow or vanish, decays of zero, no decay at all.
const std::vector<std::pair<const char*, Spoil>>& hard_values() {
  static const std::vector<std::pair<const char*, Spoil>> list{
      {"decays of 2 over states of zero",  // their product is 2^900
       [](Tensors& in) {
         fill(in, "a", [](std::int64_t i) { return i < 900 ? 2.0 : 0.5; });
         for (const char* name : {"b", "dh"})
           if (in.has(name)) fill(in, name, [](std::int64_t i) { return i < 900 ? 0.0 : 1.0; });
         for (const char* name : {"h0", "dh_last"})
           if (in.has(name)) fill(in, name, [](std::int64_t) { return 0.0; });
       }},
      {"decays of zero now and then", [](Tensors& in) { fill(in, "a", [](std::int64_t i) { return i % 37 == 0 ? 0.0 : 0.99; }); }},
      {"tiny decays", [](Tensors& in) { fill(in, "a", [](std::int64_t) { return 1e-30; }); }},
      {"no decay", [](Tensors& in) { fill(in, "a", [](std::int64_t) { return 1.0; }); }},
  };
  return list;
}

TEST(RecurrenceOnDeviceBodies, StandDecaysThatOverflowAndVanish) {
  for (const auto& [what, spoil] : hard_values()) {
    SCOPED_TRACE(what);
    expect_stream<test::Rows<float, kForward>>(shape("last", 1, 1500, 1), spoil);
    expect_stream<test::Lines<float, kForward>>(shape("middle", 1, 1500, 1), spoil);
  }
}

template <class Tile>
void expect_a_clean_start(const char* axis) {
  constexpr std::int64_t kSeq = 70;
  HostRecurrence c(packed(shape(axis, 1, kSeq, 1), 2), [](Tensors& in) { fill(in, "a", [](std::int64_t) { return 1e30; }); });
  const std::int64_t start = c.p().starts.front();
  for (std::int64_t t = start; t < kSeq; ++t) c.inputs["a"].set(t, 0.5);
  c.launch<RecurrenceStream<HostMachine, Tile>>();
  double h = 0.0;
  for (std::int64_t t = start; t < kSeq; ++t) {
    h = (t > start ? 0.5 * h : 0.0) + c.inputs["b"].at(t);
    EXPECT_NEAR(c.outputs["h"].at(t), h, 1e-5) << "step " << t << ", the second sequence begins at " << start;
  }
}

TEST(RecurrenceOnDeviceBodies, StartAPackedSequenceCleanlyBehindAnInfiniteOne) {
  expect_a_clean_start<test::Rows<float, kForward>>("last");
  expect_a_clean_start<test::Lines<float, kForward>>("middle");
}

TEST(RecurrenceOnDeviceBodies, KnowWhereSequencesBegin) {
  const std::vector<std::int64_t> starts{1, 31, 32, 63, 64, 99};
  const auto bits = start_bits(starts, 100);
  for (std::int64_t t = -32; t < 131; ++t)
    for (int i = 0; i < 17 && t + i < 132; ++i)
      EXPECT_EQ(starts_from(bits.data(), t) >> i & 1U, std::ranges::count(starts, t + i) > 0 ? 1U : 0U) << "step " << t << " and " << i;
}

}  // namespace
}  // namespace bench::scan
