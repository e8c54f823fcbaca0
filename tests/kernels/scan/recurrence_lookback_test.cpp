// SPDX-License-Identifier: Apache-2.0
// The device's recurrence kernels that cut long sequences: by look-back, with blocks that really wait for each other, and in spans, held against the oracle.
#include "kernels/scan/recurrence_lookback.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "tests/kernels/scan/recurrence_host_launch.hpp"

namespace bench::scan {
namespace {

using test::HostMachine;
using test::HostRecurrence;
using test::packed;
using test::shape;

constexpr Sweep kForward = Sweep::forward, kBackward = Sweep::backward;

TEST(RecurrenceLookback, DealsOutEachTileOnceALaunchEarlierTilesFirst) {
  constexpr std::int64_t kTiles = 7, kGroups = 5;
  for (std::uint64_t launch = 0; launch < 3; ++launch) {
    std::set<std::pair<std::int64_t, std::int64_t>> dealt;
    for (std::uint64_t i = 0; i < kTiles * kGroups; ++i) {
      const LookbackTurn turn(launch * kTiles * kGroups + i, kTiles, kGroups);
      EXPECT_EQ(turn.tag, 2 * (launch + 1)) << "neither 0, which no record is, nor another launch's";
      for (std::int64_t before = 0; before < turn.tile; ++before) EXPECT_TRUE(dealt.contains({before, turn.group})) << "is waited for, so it has begun";
      EXPECT_TRUE(dealt.insert({turn.tile, turn.group}).second);
    }
    EXPECT_EQ(dealt.size(), static_cast<std::size_t>(kTiles * kGroups));
  }
}

template <class Tile>
void expect_lookback(const Params& params, int together, std::uint64_t seed = 1, const Spoil& spoil = nullptr) {
  SCOPED_TRACE(text_of(params));
  HostRecurrence c(params, spoil);
  c.add_records<Tile>();
  for (int launch = 0; launch < 2; ++launch) {  // the second one finds the first one's records and tickets
    c.launch_together<RecurrenceLookback<HostMachine, Tile>>(together, seed);
    c.expect_the_oracles_answer();
    for (const TensorSpec& spec : HostRecurrence::op().outputs(*c.problem)) poison(c.outputs[spec.name]);
  }
}

TEST(RecurrenceLookback, EqualsTheOracleWithBlocksAheadOfEachOther) {
  for (const std::uint64_t seed : {1, 2, 3}) {
    expect_lookback<test::Rows<float, kForward>>(shape("last", 1, 5 * 1024 + 3, 2), 4, seed);  // 6 tiles, each row begins elsewhere in a piece
    expect_lookback<test::Rows<float, kBackward>>(shape("last", 1, 4 * 1024 + 1, 1, "fp32", "bwd"), 5, seed);
    expect_lookback<test::Lines<float, kForward>>(shape("middle", 1, 32 * 6 + 1, 40), 5, seed);  // 7 tiles, two blocks of channels
    expect_lookback<test::Lines<float, kBackward>>(shape("middle", 1, 32 * 4 + 5, 3, "fp32", "bwd"), 5, seed);
  }
  expect_lookback<test::LongRows<Bf16, kBackward>>(shape("last", 1, 9000, 1, "bf16", "bwd"), 3);
  expect_lookback<test::Lines<Bf16, kForward, 2>>(shape("middle", 2, 100, 66, "bf16"), 3);
}

TEST(RecurrenceLookback, EqualsTheOracleWhereThereIsOneTile) {
  for (const std::int64_t seq : {1, 1023, 1024}) expect_lookback<test::Rows<float, kForward>>(shape("last", 1, seq, 1), 1);
  for (const std::int64_t seq : {1, 31, 32}) expect_lookback<test::Lines<float, kBackward>>(shape("middle", 1, seq, 2, "fp32", "bwd"), 1);
}

/// No decay and small whole numbers, so that every state is exact and none is forgotten: a tile that is left out or taken twice is seen.
void keep_states(Tensors& in) {
  fill(in, "a", [](std::int64_t) { return 1.0; });
  for (const char* name : {"b", "dh"})
    if (in.has(name)) fill(in, name, [](std::int64_t i) { return static_cast<double>(i * i % 7 - 2); });
}

TEST(RecurrenceLookback, LooksBackOverMoreThanAWindow) {
  expect_lookback<test::Rows<float, kForward>>(shape("last", 1, 36 * 1024, 1), 36, 1, keep_states);    // windows of 32 tiles
  expect_lookback<test::Lines<float, kForward>>(shape("middle", 1, 32 * 19, 4), 19, 1, keep_states);   // of 8
}

TEST(RecurrenceLookback, TakesPackedSequences) {
  for (const std::int64_t segments : {2, 30}) {
    expect_lookback<test::Rows<float, kForward>>(packed(shape("last", 1, 3 * 1024, 1), segments), 3, 1, keep_states);
    expect_lookback<test::Lines<float, kBackward>>(packed(shape("middle", 1, 130, 3, "fp32", "bwd"), segments), 5, 1, keep_states);
  }
}

template <class Tile, class Carrying>
void launch_spans(const HostRecurrence& c, std::uint64_t seed) {
  if (c.job.spans > 1) {
    c.launch<RecurrenceReduce<HostMachine, Carrying>>(seed);
    c.launch<RecurrenceCarries<HostMachine, typename Tile::Number>>(seed);
  }
  c.launch<RecurrenceStream<HostMachine, Tile>>(seed);
}

template <class Tile, class Carrying>
void expect_spans(const Params& params, std::int64_t tiles_a_span, const Spoil& spoil = nullptr) {
  SCOPED_TRACE(concat(text_of(params), "tiles a span ", tiles_a_span));
  HostRecurrence c(params, spoil);
  c.cut<Tile>(tiles_a_span);
  launch_spans<Tile, Carrying>(c, 1);
  c.expect_the_oracles_answer();
}

TEST(RecurrenceSpans, EqualTheOracleAtEveryEdgeOfASpan) {
  constexpr Sweep kCarries = Sweep::backward_carries;
  for (const std::int64_t seq : {1024, 2048, 2049, 4 * 1024 + 3}) {  // spans of 2 tiles: one, whole, and ragged
    expect_spans<test::Rows<float, kForward>, test::Rows<float, kForward>>(shape("last", 1, seq, 2), 2);
    expect_spans<test::Rows<float, kBackward>, test::Rows<float, kCarries>>(shape("last", 1, seq, 2, "fp32", "bwd"), 2);
  }
  for (const std::int64_t seq : {64, 65, 161}) {
    expect_spans<test::Lines<float, kForward>, test::Lines<float, kForward>>(shape("middle", 2, seq, 35), 2);
    expect_spans<test::Lines<Bf16, kBackward, 2>, test::Lines<Bf16, kCarries, 2>>(shape("middle", 2, seq, 6, "bf16", "bwd"), 2);
    expect_spans<test::Lines<float, kBackward>, test::Lines<float, kCarries>>(packed(shape("middle", 1, seq, 3, "fp32", "bwd"), 9), 1);
  }
  expect_spans<test::Lines<float, kForward>, test::Lines<float, kForward>>(shape("middle", 1, 32 * 67, 3), 1, keep_states);  // more spans than a warp twice over
}

TEST(RecurrenceSpans, HaveTheSameBitsWhateverTheSchedule) {
  using Tile = test::Rows<float, kForward>;
  HostRecurrence first(shape("last", 1, 3000, 2)), again(shape("last", 1, 3000, 2));
  first.cut<Tile>(1);
  again.cut<Tile>(1);
  launch_spans<Tile, Tile>(first, 1);
  launch_spans<Tile, Tile>(again, 77);
  for (const auto& [name, tensor] : first.outputs.all())
    EXPECT_EQ(std::memcmp(tensor.data(), again.outputs[name].data(), static_cast<std::size_t>(tensor.bytes())), 0) << name;
}

}  // namespace
}  // namespace bench::scan
