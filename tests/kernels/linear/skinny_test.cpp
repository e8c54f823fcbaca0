// SPDX-License-Identifier: Apache-2.0
// The device's kernels for few rows of x, run on the host thread by thread and held against the fp64 oracle.
#include "kernels/linear/skinny_body.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "kernels/inputs.hpp"
#include "tests/kernels/linear/device_cases.hpp"

namespace bench::linear {
namespace {

using support::HostMachine;
using test::fused;
using test::layer;
using test::Output;

/// A launch as a device has it: blocks of a tile's splits beside each other, in an order that is drawn.
template <class Body>
Output run_on_host(const LinearCase& c, std::int64_t chunks_each, std::uint64_t seed = 1) {
  const auto& p = problem_as<LinearProblem>(*c.problem);
  const CodePackets packets = pack_codes(quantise(c.inputs["w"], p.recipe, p.dtype, 1), p.dtype, 1);
  const std::int64_t each = std::min(chunks_each, packets.chunks);
  SkinnyJob job = skinny_job(p, packets, {ceil_div(packets.chunks, each), each});
  Output out(p);
  std::vector<float> parts(static_cast<std::size_t>(job.splits * p.m * p.n), std::numeric_limits<float>::quiet_NaN());
  std::vector<std::uint32_t> arrived(static_cast<std::size_t>(Body::tiles(job)));
  Tensor words(DType::f32, {static_cast<std::int64_t>(packets.words.size())});  // 64-byte aligned
  std::memcpy(words.data(), packets.words.data(), packets.words.size() * 4);
  job.x = c.inputs["x"].data();
  job.y = out.y.data();
  job.packets = words.data();
  (p.recipe.bits == 4 ? job.scales : job.finish.scales) = packets.scales.data();
  job.finish.bias = c.inputs["bias"].data();
  job.parts = parts.data();
  job.arrived = arrived.data();
  support::run_blocks_together(5, Body::blocks(job), Body::kThreads, Body::shared_bytes(job), seed, [&] { Body(job).run(); });
  for (const std::uint32_t count : arrived) EXPECT_EQ(count, 0U) << "the next launch begins where this one did";
  return out;
}

template <class T, int kBits, int kGroup, SkinnyShape kShape>
void expect_the_oracles_answer(const LinearCase& c, std::int64_t chunks_each = 64) {
  run_on_host<Skinny<HostMachine, T, kBits, kGroup, kShape>>(c, chunks_each).expect(c);
}

TEST(Packets, HoldEveryCodeOnce) {
  for (const int bits : {4, 8}) {
    std::vector<std::uint32_t> taken(kPacketWords);
    for (int row = 0; row < kPacketRows; ++row)
      for (int input = 0; input < packet_inputs(bits); ++input) {
        const CodePlace place = code_place(bits, row, input);
        const std::uint32_t mine = (bits == 4 ? 0xfU : 0xffU) << place.bit;
        ASSERT_EQ(taken[static_cast<std::size_t>(place.word)] & mine, 0U) << bits << " bits, row " << row << " input " << input;
        taken[static_cast<std::size_t>(place.word)] |= mine;
      }
    for (const std::uint32_t word : taken) EXPECT_EQ(word, 0xffffffffU);
  }
}

template <class T, int kBits>
void expect_every_code() {
  for (int code = kBits == 4 ? -8 : -128; code < (kBits == 4 ? 8 : 128); ++code) {
    const std::uint32_t one = static_cast<std::uint32_t>(kBits == 4 ? code + 8 : code) & (kBits == 4 ? 0xfU : 0xffU);
    const std::uint32_t word = one * (kBits == 4 ? 0x11111111U : 0x01010101U), words[4] = {word, word, word, word};
    std::uint32_t pairs[4];
    unpack<HostMachine, T, kBits>(pairs, words, 1);
    for (const std::uint32_t pair : pairs) {
      EXPECT_EQ(HostMachine::low<T>(pair), static_cast<float>(code));
      EXPECT_EQ(HostMachine::high<T>(pair), static_cast<float>(code));
    }
  }
}
TEST(Packets, EveryCodeIsUnpackedExactly) {
  expect_every_code<Bf16, 4>();
  expect_every_code<F16, 4>();
  expect_every_code<Bf16, 8>();
  expect_every_code<F16, 8>();
}

// A packet is 16 outputs by 64 inputs (int4) or 32 (int8); eight warps take four packets each at a time, so 2048 inputs a round.
TEST(Skinny, EqualsTheOracleAroundEveryEdgeOfAPacket) {
  for (const std::int64_t k : {1, 31, 33, 63, 64, 65, 600}) expect_the_oracles_answer<Bf16, 4, 64, kOneOrTwoRows>(layer({1, 33, k, 1}, "bf16", "int4wo-64"));
  for (const std::int64_t k : {1, 31, 32, 33, 264}) expect_the_oracles_answer<Bf16, 8, 64, kOneOrTwoRows>(layer({1, 33, k, 1}, "bf16", "int8wo"));
  for (const std::int64_t n : {1, 15, 16, 17}) expect_the_oracles_answer<F16, 4, 64, kOneOrTwoRows>(layer({2, n, 80, 1}, "fp16", "int4wo-64"));
  for (const std::int64_t n : {63, 65}) expect_the_oracles_answer<F16, 8, 64, kEightRows>(layer({3, n, 80, 1}, "fp16", "int8wo"));
  expect_the_oracles_answer<Bf16, 4, 64, kOneOrTwoRows>(layer({1, 16, 2048 + 100, 1}, "bf16", "int4wo-64"));
}

TEST(Skinny, TakesEveryNumberOfRows) {
  for (const std::int64_t m : {3, 8, 9}) expect_the_oracles_answer<Bf16, 4, 64, kEightRows>(layer({m, 20, 136, 1}, "bf16", "int4wo-64"));
  for (const std::int64_t m : {9, 16, 17}) expect_the_oracles_answer<Bf16, 4, 64, kSixteenRows>(layer({m, 70, 136, 1}, "bf16", "int4wo-128"));
  expect_the_oracles_answer<F16, 8, 64, kSixteenRows>(layer({15, 70, 70, 1}, "fp16", "int8wo"));
}

TEST(Skinny, TakesEveryGroup) {
  for (const char* recipe : {"int4wo-32", "int4wo-32-hqq"}) {
    expect_the_oracles_answer<Bf16, 4, 32, kOneOrTwoRows>(layer({2, 40, 353, 1}, "bf16", recipe));
    expect_the_oracles_answer<F16, 4, 32, kSixteenRows>(layer({11, 40, 96, 1}, "fp16", recipe));
  }
  for (const char* recipe : {"int4wo-64", "int4wo-128", "int4wo-128-hqq", "int4wo-256", "int4wo-256-hqq"})
    expect_the_oracles_answer<Bf16, 4, 64, kOneOrTwoRows>(layer({1, 40, 600, 1}, "bf16", recipe));  // the last group a short one
}

TEST(Skinny, AddsUpSplitsOfK) {
  for (const std::int64_t each : {1, 3, 8, 9}) {  // of 11 packets: a warp's, fewer than warps, one round and one more
    expect_the_oracles_answer<Bf16, 4, 64, kOneOrTwoRows>(layer({2, 40, 11 * 64 - 5, 1}, "bf16", "int4wo-64"), each);
    expect_the_oracles_answer<Bf16, 8, 64, kEightRows>(layer({5, 70, 11 * 32 - 5, 1}, "bf16", "int8wo"), each);
  }
}

TEST(Skinny, ComputesSinglePrecisionToo) {
  for (const std::int64_t k : {1, 36, 37, 300}) expect_the_oracles_answer<float, 4, 64, kOneOrTwoRows>(layer({2, 20, k, 1}, "fp32", "int4wo-128"));
  expect_the_oracles_answer<float, 4, 32, kEightRows>(layer({9, 70, 100, 1}, "fp32", "int4wo-32-hqq", fused("layer", "none")), 1);
  expect_the_oracles_answer<float, 8, 64, kOneOrTwoRows>(layer({1, 20, 300, 1}, "fp32", "int8wo", fused("layer", "silu")));
  expect_the_oracles_answer<float, 8, 64, kEightRows>(layer({8, 70, 100, 1}, "fp32", "int8wo"));
}

TEST(Skinny, NormalisesRowsAsTheyAreRead) {
  for (const std::int64_t m : {1, 2, 3, 5, 8})  // a row's mean and variance by eight warps, four, two, one
    for (const std::int64_t k : {1, 40, 67, 2100}) {
      if (k == 2100 && m > 2) continue;
      const LinearCase c = layer({m, 17, k, 1}, "bf16", "int4wo-64", fused("layer", "none"));
      if (m <= 2)
        expect_the_oracles_answer<Bf16, 4, 64, kOneOrTwoRows>(c, 10);
      else
        expect_the_oracles_answer<Bf16, 4, 64, kEightRows>(c, 10);
    }
}

// A folded norm would have to find a deviation of 1 in sums of 1000s.
TEST(Skinny, NormalisesRowsWhoseMeanIsLargeAndRowsThatAreConstant) {
  const auto shifted = [](Tensors& in) { fill(in, "x", [](std::int64_t i) { return 1000.0 + std::sin(static_cast<double>(i)); }); };
  const auto constant = [](Tensors& in) { fill(in, "x", [](std::int64_t) { return 1.5; }); };
  for (const Spoil& spoil : {Spoil(shifted), Spoil(constant)}) {
    expect_the_oracles_answer<float, 4, 64, kOneOrTwoRows>(LinearCase({1, 40, 300, 1}, "fp32", "int4wo-64", spoil, fused("layer", "none")));
    expect_the_oracles_answer<float, 8, 64, kEightRows>(LinearCase({3, 40, 300, 1}, "fp32", "int8wo", spoil, fused("layer", "none")));
  }
}

TEST(Skinny, EndsWithEveryActivation) {
  for (const std::string& activation : activations()) {
    expect_the_oracles_answer<float, 4, 64, kOneOrTwoRows>(layer({2, 40, 64, 1}, "fp32", "int4wo-64", fused("none", activation)));
    expect_the_oracles_answer<Bf16, 8, 64, kOneOrTwoRows>(layer({1, 40, 96, 1}, "bf16", "int8wo", fused("layer", activation)), 1);
  }
}

TEST(Skinny, TakesWhatHasBrokenQuantisedLayers) {
  const auto positive = [](Tensors& in) { fill(in, "w", [](std::int64_t i) { return 5.0 + std::sin(static_cast<double>(i)); }); };
  const auto equal = [](Tensors& in) { fill(in, "w", [](std::int64_t) { return -0.7; }); };
  const auto outlier = [](Tensors& in) { in["x"].set(0, 3e3); };
  const auto tiny = [](Tensors& in) { fill(in, "x", [](std::int64_t) { return 1e-37; }); };
  for (const Spoil& spoil : {Spoil(positive), Spoil(equal), Spoil(outlier), Spoil(tiny)}) {
    expect_the_oracles_answer<float, 4, 64, kOneOrTwoRows>(LinearCase({1, 40, 300, 1}, "fp32", "int4wo-64", spoil));
    expect_the_oracles_answer<Bf16, 4, 32, kOneOrTwoRows>(LinearCase({1, 40, 300, 1}, "bf16", "int4wo-32", spoil));
    expect_the_oracles_answer<F16, 8, 64, kEightRows>(LinearCase({3, 40, 300, 1}, "fp16", "int8wo", spoil));
  }
}

TEST(Skinny, HasTheSameBitsInWhateverOrderThreadsAndBlocksCome) {
  using Body = Skinny<HostMachine, Bf16, 4, 64, kOneOrTwoRows>;
  const LinearCase c = layer({2, 40, 700, 1}, "bf16", "int4wo-64", fused("layer", "gelu"));
  const Output first = run_on_host<Body>(c, 3);
  for (const std::uint64_t seed : {2, 3, 4}) {
    const Output again = run_on_host<Body>(c, 3, seed);
    EXPECT_EQ(std::memcmp(first.y.data(), again.y.data(), static_cast<std::size_t>(first.y.bytes())), 0) << seed;
  }
}

TEST(SkinnyPlan, FillsTheDeviceAndKeepsToSharedMemory) {
  EXPECT_EQ(plan_skinny(256, 64, 264, 64).splits, 1);   // outputs alone do
  EXPECT_EQ(plan_skinny(64, 64, 264, 64).splits, 4);
  EXPECT_EQ(plan_skinny(1, 64, 264, 64).splits, 8);     // a packet a warp
  EXPECT_EQ(plan_skinny(1000, 64, 264, 16).splits, 4);  // shared memory
  for (const std::int64_t tiles : {1, 7, 90, 300})
    for (const std::int64_t chunks : {1, 5, 64, 173})
      for (const std::int64_t most : {1, 16, 64}) {
        const SkinnyPlan plan = plan_skinny(tiles, chunks, 264, most);
        EXPECT_LE(plan.chunks_each, most);
        EXPECT_GE(plan.splits * plan.chunks_each, chunks);
        EXPECT_LT((plan.splits - 1) * plan.chunks_each, chunks) << "no split is empty";
      }
}

}  // namespace
}  // namespace bench::linear
