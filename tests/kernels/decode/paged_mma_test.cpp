// SPDX-License-Identifier: Apache-2.0
// The device's decode kernel for tensor cores, run on the host thread by thread and held against the fp64 oracle.
#include "kernels/decode/paged_mma.hpp"

#include <gtest/gtest.h>

#include "tests/kernels/decode/host_launch.hpp"

namespace bench::decode {
namespace {

using test::shape;
using test::with;

template <class T, int kDim, int kTiles>
using Mma = PagedMma<support::HostMachine, T, kDim, kTiles>;

template <class T, int kDim, int kTiles>
void expect_the_oracles_answer(const Params& changes, std::int64_t span, std::uint64_t seed = 1) {
  test::expect_the_oracles_answer<T, Mma<T, kDim, kTiles>>(changes, span, seed);
}

TEST(PagedMma, EqualsTheOracleAtEveryEdgeOfAStage) {
  for (const std::int64_t seq : {1, 15, 16, 17, 63, 64, 65, 129, 193, 257, 330})  // a team's 16 tokens; stages of 64; rings of 4
    for (const std::int64_t span : {64, 1024}) {
      SCOPED_TRACE(concat("L ", seq, " span ", span));
      expect_the_oracles_answer<Bf16, 64, 1>(shape(seq, 8, 1), span);
    }
}

TEST(PagedMma, TakesGroupsOfEverySize) {
  for (const std::int64_t heads : {1, 7, 8, 9, 16}) expect_the_oracles_answer<Bf16, 64, 1>(shape(100, heads, 1), 64);
  expect_the_oracles_answer<Bf16, 64, 2>(shape(100, 40, 2), 128);   // 20 heads: a tile of 16 and one of 4
  expect_the_oracles_answer<Bf16, 64, 4>(shape(100, 64, 1), 128);   // all four warps, each a tile
  expect_the_oracles_answer<Bf16, 64, 4>(shape(70, 130, 1), 1024);  // blocks of 64, 64 and 2
}

TEST(PagedMma, TakesEveryHeadDimensionInTheShapesThatAreLaunched) {
  for (const std::int64_t head_dim : {8, 40, 56}) expect_the_oracles_answer<Bf16, 64, 1>(with(shape(130, 4, 2), "head_dim", head_dim), 1024);
  for (const std::int64_t head_dim : {72, 128}) expect_the_oracles_answer<Bf16, 128, 1>(with(shape(330, 16, 2), "head_dim", head_dim), 1024);
  expect_the_oracles_answer<Bf16, 128, 2>(with(shape(200, 32, 1), "head_dim", std::int64_t{128}), 1024);
  expect_the_oracles_answer<Bf16, 128, 4>(with(shape(200, 64, 1), "head_dim", std::int64_t{128}), 1024);
  for (const std::int64_t head_dim : {136, 256}) expect_the_oracles_answer<Bf16, 256, 1>(with(shape(200, 8, 1), "head_dim", head_dim), 1024);
  expect_the_oracles_answer<Bf16, 256, 2>(with(shape(130, 20, 1), "head_dim", std::int64_t{256}), 1024);
}

TEST(PagedMma, TakesEveryPage) {
  for (const std::int64_t page : {16, 32, 64, 256}) {
    const Params ragged = with(with(shape(600, 8, 1), "lengths", std::string("ragged")), "page", page);
    expect_the_oracles_answer<Bf16, 64, 1>(ragged, 192);
    expect_the_oracles_answer<Bf16, 256, 1>(with(with(ragged, "head_dim", std::int64_t{256}), "seq", std::int64_t{300}), 192);
  }
}

TEST(PagedMma, ComputesHalfPrecisionToo) { expect_the_oracles_answer<F16, 64, 1>(with(shape(130, 8, 1), "dtype", std::string("fp16")), 64); }

TEST(PagedMma, ReadsNothingBehindASequencesEnd) {
  const Params ragged = with(with(shape(200, 8, 1), "batch", std::int64_t{4}), "lengths", std::string("ragged"));
  expect_the_oracles_answer<Bf16, 64, 1>(ragged, 64);  // spans that begin behind the end, too
}

TEST(PagedMma, HasTheSameBitsInWhateverOrderThreadsTakeTurns) {
  const test::HostCase c(shape(330, 16, 2));
  const Tensors first = test::run_on_host<Bf16, Mma<Bf16, 64, 1>>(c, 1024, 0, 2, 1);
  for (std::uint64_t seed = 2; seed < 12; ++seed) {
    SCOPED_TRACE(seed);
    expect_same_bits(first, test::run_on_host<Bf16, Mma<Bf16, 64, 1>>(c, 1024, 0, 2, seed));
  }
}

}  // namespace
}  // namespace bench::decode
