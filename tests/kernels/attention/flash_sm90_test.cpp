// SPDX-License-Identifier: Apache-2.0
// Hopper's kernel body, run on the host thread by thread, its copies and products late, and held against the fp64 oracle.
#include "kernels/attention/flash_sm90.hpp"

#include <gtest/gtest.h>

#include <type_traits>

#include "tests/kernels/attention/host_launch.hpp"
#include "tests/support/host_hopper.hpp"

namespace bench::attention {
namespace {

using support::HostHopper;

/// Runs every block of a launch on the host.
template <class T, int kDim, int kConsumers, bool kOverlap>
struct Sm90 {
  using Kernel = FlashSm90<HostHopper, T, kDim, kConsumers, kOverlap>;
  static void launch(const AttentionProblem& p, const DeviceJob& tensors, std::uint64_t seed) {
    const auto map = [&](const void* base, std::int64_t length, std::int64_t heads, int rows) {
      return support::HostTensorMap{static_cast<const std::uint16_t*>(base), p.head_dim, length, p.batch * heads, rows};
    };
    FlashSm90Job<HostHopper> job{tensors, map(tensors.q, p.seq, p.heads, 64), map(tensors.k, p.kv_length(), p.kv_heads, Kernel::kKeys),
                                 map(tensors.v, p.kv_length(), p.kv_heads, Kernel::kKeys)};
    support::run_blocks(Kernel::blocks(job), Kernel::kThreads, Kernel::kSharedBytes, seed, [&] { Kernel(job).run(); });
  }
};

template <class Overlap>
class FlashSm90Body : public ::testing::Test {};
using Rungs = ::testing::Types<std::false_type, std::true_type>;  // plain, overlapped
TYPED_TEST_SUITE(FlashSm90Body, Rungs);

TYPED_TEST(FlashSm90Body, EqualsTheOracleAtEveryEdgeOfATile) {
  for (const bool causal : {false, true})
    for (const std::int64_t seq : {1, 65, 128, 129, 192, 257}) {  // blocks of 128 keys; 128 or 192 rows
      SCOPED_TRACE(concat("L ", seq, " causal ", causal));
      test::expect_the_oracles_answer<Sm90<Bf16, 64, TypeParam::value ? 2 : 3, TypeParam::value>>(test::one_head(seq, 64, causal));
    }
}

TYPED_TEST(FlashSm90Body, KeepsItsPlacesApartOverManyRounds) {
  test::expect_the_oracles_answer<Sm90<Bf16, 64, TypeParam::value ? 2 : 3, TypeParam::value>>(test::one_head(520, 64, true));
  test::expect_the_oracles_answer<Sm90<Bf16, 128, 2, TypeParam::value>>(test::one_head(400, 128, false));
}

TYPED_TEST(FlashSm90Body, FillsUpOddHeadDimensionsWithZeros) {
  for (const std::int64_t head_dim : {8, 40}) test::expect_the_oracles_answer<Sm90<Bf16, 64, TypeParam::value ? 2 : 3, TypeParam::value>>(test::one_head(140, head_dim, true));
  test::expect_the_oracles_answer<Sm90<F16, 128, 2, TypeParam::value>>(test::with(test::one_head(140, 96, false), "dtype", std::string("fp16")));
}

TYPED_TEST(FlashSm90Body, KnowsGroupsBatchesWindowsAndPadding) {
  test::for_masks_and_groups([](const Params& changes) { test::expect_the_oracles_answer<Sm90<Bf16, 64, TypeParam::value ? 2 : 3, TypeParam::value>>(changes); });
}

TYPED_TEST(FlashSm90Body, AlignsTheLastQueryWithTheLastKey) {
  test::for_lengths([](const Params& changes) { test::expect_the_oracles_answer<Sm90<Bf16, 64, TypeParam::value ? 2 : 3, TypeParam::value>>(changes); });
}

TYPED_TEST(FlashSm90Body, KeepsPackedSequencesApart) {
  test::for_packed_sequences([](const Params& changes) { test::expect_the_oracles_answer<Sm90<Bf16, 64, TypeParam::value ? 2 : 3, TypeParam::value>>(changes); });
}

TYPED_TEST(FlashSm90Body, CapsScores) {
  test::for_caps([](const Params& changes) { test::expect_the_oracles_answer<Sm90<Bf16, 64, TypeParam::value ? 2 : 3, TypeParam::value>>(changes); });
}

TYPED_TEST(FlashSm90Body, HasTheSameBitsInWhateverOrderThingsHappen) {
  test::expect_the_same_bits<Sm90<Bf16, 64, TypeParam::value ? 2 : 3, TypeParam::value>>(test::one_head(200, 64, true));
}

}  // namespace
}  // namespace bench::attention
