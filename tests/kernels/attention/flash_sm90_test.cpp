// SPDX-License-Identifier: Apache-2.0
// Hopper's kernel body, every rung of it, run on the host thread by thread, its copies, stores and products late, and held against the fp64 oracle.
#include "kernels/attention/flash_sm90.hpp"

#include <gtest/gtest.h>

#include "tests/kernels/attention/host_launch.hpp"
#include "tests/support/host_hopper.hpp"

namespace bench::attention {
namespace {

using support::HostHopper;

/// Runs a launch on the host, as on a device with three multiprocessors and an L2 cache that holds two heads of 150 keys.
template <class T, FlashSm90Shape kShape, FlashSm90Rung kRung>
struct Sm90 {
  using Kernel = FlashSm90<HostHopper, T, kShape, kRung>;
  static constexpr int kMultiprocessors = 3;
  static constexpr std::int64_t kL2_bytes = 130'000;

  static void launch(const AttentionProblem& p, const DeviceJob& tensors, std::uint64_t seed) {
    const auto map = [&](const void* base, std::int64_t heads, std::int64_t length, int rows) {
      return support::HostTensorMap{static_cast<std::uint16_t*>(const_cast<void*>(base)), p.head_dim, length, p.batch * heads, rows};
    };
    std::uint32_t fetched = 0;
    const FlashSm90Job<HostHopper> job{tensors,
                                       kRung.persistent ? order_of_persistent_blocks(tensors, Kernel::kRows, kL2_bytes) : order_of_blocks(tensors, Kernel::kRows),
                                       &fetched,
                                       map(tensors.q, p.heads, p.seq, 64),
                                       map(tensors.k, p.kv_heads, p.kv_length(), Kernel::kKeys),
                                       map(tensors.v, p.kv_heads, p.kv_length(), Kernel::kKeys),
                                       map(tensors.out, p.heads, p.seq, 64)};
    const int blocks = Kernel::blocks(job, kMultiprocessors);
    const auto body = [&] { Kernel(job).run(); };
    if (kRung.persistent)
      support::run_blocks_together(blocks, blocks, Kernel::kThreads, Kernel::kSharedBytes, seed, body);
    else
      support::run_blocks(blocks, Kernel::kThreads, Kernel::kSharedBytes, seed, body);
    EXPECT_EQ(fetched, 0U) << "the next launch begins with another tile";
  }
};

template <class Rung>
class FlashSm90Body : public ::testing::Test {
 public:
  static constexpr FlashSm90Rung kRung = Rung::value;
  using Small = Sm90<Bf16, FlashSm90Shape{64, 128, kRung.overlap ? 2 : 3}, kRung>;
  template <class T, int kDim, int kKeys, bool masked = true>
  using Of = Sm90<T, FlashSm90Shape{kDim, kKeys, 2, masked}, kRung>;
};
template <FlashSm90Rung kOf>
struct Is {
  static constexpr FlashSm90Rung value = kOf;
};
using Rungs = ::testing::Types<Is<kPlainRung>, Is<kOverlapRung>, Is<kPersistentRung>, Is<kPingPongRung>, Is<kTmaStoreRung>>;
TYPED_TEST_SUITE(FlashSm90Body, Rungs);

Params heads(Params params, std::int64_t batch, std::int64_t heads, std::int64_t kv_heads) {
  return test::with(test::with(test::with(std::move(params), "batch", batch), "heads", heads), "kv_heads", kv_heads);
}

TYPED_TEST(FlashSm90Body, EqualsTheOracleAtEveryEdgeOfATile) {
  for (const bool causal : {false, true})
    for (const std::int64_t seq : {1, 65, 128, 129, 192, 257}) {  // blocks of 128 keys; 128 or 192 rows
      SCOPED_TRACE(concat("L ", seq, " causal ", causal));
      test::expect_the_oracles_answer<typename TestFixture::Small>(test::one_head(seq, 64, causal));
    }
}

TYPED_TEST(FlashSm90Body, EqualsTheOracleInTheShapesThatAreLaunched) {
  test::expect_the_oracles_answer<typename TestFixture::template Of<Bf16, 128, 128>>(test::one_head(400, 128, true));
  test::expect_the_oracles_answer<typename TestFixture::template Of<Bf16, 128, 176, false>>(test::one_head(400, 128, false));  // two blocks of keys and a bit
  if constexpr (most_head_dim(TestFixture::kRung) < 256) return;
  test::expect_the_oracles_answer<typename TestFixture::template Of<Bf16, 256, 80>>(test::one_head(199, 256, true));
  test::expect_the_oracles_answer<typename TestFixture::template Of<F16, 256, 80>>(test::with(test::one_head(140, 200, false), "dtype", std::string("fp16")));
}

TYPED_TEST(FlashSm90Body, KeepsItsPlacesApartOverManyRounds) {
  test::expect_the_oracles_answer<typename TestFixture::Small>(test::one_head(520, 64, true));
}

/// Ten tiles and more for three blocks: barriers go on from one tile to the next, with odd and even numbers of blocks of keys in each.
TYPED_TEST(FlashSm90Body, TakesTileAfterTile) {
  test::expect_the_oracles_answer<typename TestFixture::Small>(heads(test::one_head(260, 64, true), 1, 6, 2));
  test::expect_the_oracles_answer<typename TestFixture::Small>(heads(test::one_head(140, 64, false), 5, 1, 1));
  test::expect_the_oracles_answer<typename TestFixture::template Of<Bf16, 128, 176, false>>(heads(test::one_head(180, 128, false), 1, 6, 3));
  if constexpr (most_head_dim(TestFixture::kRung) < 256) return;
  test::expect_the_oracles_answer<typename TestFixture::template Of<Bf16, 256, 80>>(heads(test::one_head(130, 256, true), 2, 2, 1));
}

TYPED_TEST(FlashSm90Body, FillsUpOddHeadDimensionsWithZeros) {
  for (const std::int64_t head_dim : {8, 40}) test::expect_the_oracles_answer<typename TestFixture::Small>(heads(test::one_head(140, head_dim, true), 1, 2, 2));
  test::expect_the_oracles_answer<typename TestFixture::template Of<F16, 128, 128>>(test::with(test::one_head(140, 96, false), "dtype", std::string("fp16")));
}

TYPED_TEST(FlashSm90Body, KnowsGroupsBatchesWindowsAndPadding) {
  test::for_masks_and_groups([](const Params& changes) { test::expect_the_oracles_answer<typename TestFixture::Small>(changes); });
}

/// A window behind the last valid key leaves tiles with nothing to see between others that have: rows from 60 on of the second sequence.
TYPED_TEST(FlashSm90Body, StaysInStepOverTilesWithoutKeys) {
  AttentionProblem p = test::parsed(heads(test::one_head(390, 64, true), 3, 2, 1));
  p.window = 40;
  p.key_lengths = {390, 20, 200};
  test::expect_the_oracles_answer<typename TestFixture::Small>(p);
}

TYPED_TEST(FlashSm90Body, AlignsTheLastQueryWithTheLastKey) {
  test::for_lengths([](const Params& changes) { test::expect_the_oracles_answer<typename TestFixture::Small>(changes); });
}

/// Blocks of 176 keys without masks end behind the last key, wherever that is.
TYPED_TEST(FlashSm90Body, KnowsOtherKeysThanQueriesWithoutMasks) {
  for (const std::int64_t keys : {5, 176, 300})
    test::expect_the_oracles_answer<typename TestFixture::template Of<Bf16, 128, 176, false>>(test::with(test::one_head(130, 128, false), "kv_seq", keys));
}

TYPED_TEST(FlashSm90Body, KeepsPackedSequencesApart) {
  test::for_packed_sequences([](const Params& changes) { test::expect_the_oracles_answer<typename TestFixture::Small>(changes); });
}

TYPED_TEST(FlashSm90Body, CapsScores) {
  test::for_caps([](const Params& changes) { test::expect_the_oracles_answer<typename TestFixture::Small>(changes); });
}

TYPED_TEST(FlashSm90Body, HasTheSameBitsInWhateverOrderThingsHappen) {
  test::expect_the_same_bits<typename TestFixture::Small>(heads(test::one_head(200, 64, true), 1, 4, 2));
}

}  // namespace
}  // namespace bench::attention
