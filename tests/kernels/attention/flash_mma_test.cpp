// SPDX-License-Identifier: Apache-2.0
// The tensor-core kernel's body, run on the host thread by thread and held against the fp64 oracle; and its index arithmetic against brute
// force.
#include "kernels/attention/flash_mma.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tests/kernels/attention/host_launch.hpp"
#include "tests/support/host_machine.hpp"

namespace bench::attention {
namespace {

template <class T, int kDim, int kRows, int kKeys>
struct Mma {
  using Kernel = FlashMma<support::HostMachine, T, kDim, kRows, kKeys>;
  static void launch(const AttentionProblem&, const DeviceJob& job, std::uint64_t seed) {
    support::run_blocks(Kernel::blocks(job), Kernel::kThreads, Kernel::kSharedBytes, seed, [&] { Kernel(job).run(); });
  }
};

TEST(FlashMma, EqualsTheOracleAtEveryEdgeOfATile) {
  for (const bool causal : {false, true})
    for (const std::int64_t seq : {1, 7, 63, 64, 65, 127, 128, 129, 200}) {  // of 64 rows and 64 keys
      SCOPED_TRACE(concat("L ", seq, " causal ", causal));
      test::expect_the_oracles_answer<Mma<Bf16, 64, 64, 64>>(test::one_head(seq, 64, causal));
    }
}

TEST(FlashMma, EqualsTheOracleInTheShapesThatAreLaunched) {
  test::expect_the_oracles_answer<Mma<Bf16, 64, 128, 128>>(test::one_head(257, 64, true));
  test::expect_the_oracles_answer<Mma<Bf16, 128, 128, 64>>(test::one_head(193, 128, true));
  test::expect_the_oracles_answer<Mma<Bf16, 256, 64, 64>>(test::one_head(129, 256, false));
}

TEST(FlashMma, FillsUpOddHeadDimensionsWithZeros) {
  for (const std::int64_t head_dim : {8, 40, 56}) test::expect_the_oracles_answer<Mma<Bf16, 64, 64, 64>>(test::one_head(70, head_dim, true));
  test::expect_the_oracles_answer<Mma<Bf16, 128, 64, 64>>(test::one_head(70, 96, false));
}

TEST(FlashMma, ComputesHalfPrecisionToo) {
  test::expect_the_oracles_answer<Mma<F16, 64, 64, 64>>(test::with(test::one_head(130, 64, true), "dtype", std::string("fp16")));
}

TEST(FlashMma, KnowsGroupsBatchesWindowsAndPadding) {
  test::for_masks_and_groups([](const Params& changes) { test::expect_the_oracles_answer<Mma<Bf16, 64, 64, 64>>(changes); });
}

TEST(FlashMma, AlignsTheLastQueryWithTheLastKey) {
  test::for_lengths([](const Params& changes) { test::expect_the_oracles_answer<Mma<Bf16, 64, 64, 64>>(changes); });
}

TEST(FlashMma, KeepsPackedSequencesApart) {
  test::for_packed_sequences([](const Params& changes) { test::expect_the_oracles_answer<Mma<Bf16, 64, 64, 64>>(changes); });
}

TEST(FlashMma, CapsScores) {
  test::for_caps([](const Params& changes) { test::expect_the_oracles_answer<Mma<Bf16, 64, 64, 64>>(changes); });
}

/// Two roundings next to 1, of 2^x and of its reciprocal, times 2; instructions that are two ulp off, as a device's are, double that.
TEST(FlashMma, CapsAScoreToAFewRoundingsOfTheCap) {
  SoftmaxRegisters<support::HostMachine, Bf16, 1, 8, 8> rows{};
  for (const float limit : {8.0F, 400.0F})  // c sqrt(D) of c = 1 and 50, D = 64
    for (float s = -40.0F * limit; s <= 40.0F * limit; s += 0.37F * limit) {
      rows.scores[0][0] = s;
      rows.cap(limit);
      EXPECT_NEAR(rows.scores[0][0], limit * std::tanh(static_cast<double>(s) / limit), 3e-7 * limit) << s;
    }
}

TEST(FlashMma, HasTheSameBitsInWhateverOrderThreadsTakeTurns) { test::expect_the_same_bits<Mma<Bf16, 64, 64, 64>>(test::one_head(100, 64, true)); }

/// Every pair against the definition, in blocks of 8 rows and 4 keys.
void expect_the_definition(const AttentionProblem& p) {
  const std::vector<std::int32_t> lengths = key_lengths_of(p), bounds = bounds_of(p);
  DeviceJob job = device_job(p);
  job.key_lengths = lengths.empty() ? nullptr : lengths.data();
  job.bounds = bounds.empty() ? nullptr : bounds.data();
  const RowMask mask = job.mask_of(0);
  for (int row0 = 0; row0 < p.seq; row0 += 8) {
    const KeyBlocks blocks(mask, row0, 8, 4);
    for (int row = row0; row < std::min<int>(row0 + 8, static_cast<int>(p.seq)); ++row)
      for (int key = 0; key < p.kv_length(); ++key) {
        const KeyRange visible = p.visible(0, row);
        const bool sees = key >= visible.first && key < visible.end;
        ASSERT_EQ(key >= mask.first(row) && key < mask.end(row), sees) << row << ' ' << key;
        const bool visited = key / 4 >= blocks.begin() && key / 4 < blocks.end();
        ASSERT_TRUE(visited || !sees) << row << ' ' << key;
        ASSERT_TRUE(sees || !visited || blocks.hides_some(key / 4)) << row << ' ' << key;
      }
  }
}

TEST(KeyBlocks, HoldEveryVisiblePairAndHideOnlyWhereSomePairIsHidden) {
  AttentionProblem p;
  for (const std::int64_t seq : {1, 5, 16, 33})
    for (const std::int64_t kv_seq : {1, 7, 16, 40})
      for (const bool causal : {false, true})
        for (const std::int64_t window : {0, 1, 3, 16, 40})
          for (std::int64_t keys = 1; keys <= kv_seq; keys += 3) {
            SCOPED_TRACE(concat("L ", seq, " Lk ", kv_seq, " window ", window, " keys ", keys));
            p.seq = seq;
            p.kv_seq = kv_seq;
            p.causal = causal;
            p.window = window;
            p.key_lengths = {keys};
            expect_the_definition(p);
          }
}

TEST(KeyBlocks, DoSoForPackedSequences) {
  AttentionProblem p;
  p.seq = 33;
  for (const std::vector<std::int64_t>& starts : {std::vector<std::int64_t>{1}, {8}, {32}, {3, 9, 10, 24}, {4, 5, 6, 7, 8}})
    for (const bool causal : {false, true})
      for (const std::int64_t window : {0, 1, 3, 16})
        for (const std::int64_t keys : {1, 8, 20, 33}) {
          SCOPED_TRACE(concat("first start ", starts[0], " window ", window, " keys ", keys));
          p.starts = starts;
          p.causal = causal;
          p.window = window;
          p.key_lengths = {keys};
          expect_the_definition(p);
        }
}

TEST(Swizzle, PutsEveryChunkInAPlaceOfItsOwn) {
  for (const int columns : {64, 128, 256}) {
    std::set<std::uint32_t> places;
    for (int row = 0; row < 24; ++row)
      for (int chunk = 0; chunk < columns / 8; ++chunk) places.insert(cuda::swizzled(row, chunk, 24));
    EXPECT_EQ(places.size(), 24U * static_cast<unsigned>(columns) / 8);
    EXPECT_EQ(*places.rbegin() + 16, static_cast<unsigned>(cuda::tile_bytes(24, columns)));
  }
}

TEST(Swizzle, LetsEightRowsAndEightChunksMeetInNoBank) {
  const auto banks = [](auto place) {
    std::set<std::uint32_t> sets;  // of four banks
    for (int i = 0; i < 8; ++i) sets.insert(place(i) % 128 / 16);
    return sets.size();
  };
  for (int chunk = 0; chunk < 16; ++chunk) EXPECT_EQ(banks([&](int i) { return cuda::swizzled(40 + i, chunk, 64); }), 8U) << "as ldmatrix reads";
  for (int row = 0; row < 8; ++row) EXPECT_EQ(banks([&](int i) { return cuda::swizzled(row, 8 + i, 64); }), 8U) << "as copies write";
}

TEST(Swizzle, MovesByPairsAsIfWorkedOutAnew) {
  for (int row = 0; row < 64; ++row)
    for (int chunk = 0; chunk < 2; ++chunk)
      for (int pairs = 0; pairs < 16; ++pairs)
        EXPECT_EQ(cuda::moved_by_pairs(1024 + cuda::swizzled(row, chunk, 64), pairs, 64), 1024 + cuda::swizzled(row, chunk + 2 * pairs, 64));
}

}  // namespace
}  // namespace bench::attention
