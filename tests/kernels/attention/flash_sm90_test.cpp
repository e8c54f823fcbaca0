// SPDX-License-Identifier: Apache-2.0
// Hopper's kernel body, run on the host thread by thread, its copies and products late, and held against the fp64 oracle.
#include "kernels/attention/flash_sm90.hpp"

#include <gtest/gtest.h>

#include "tests/kernels/attention/host_launch.hpp"
#include "tests/support/host_hopper.hpp"

namespace bench::attention {
namespace {

using support::HostHopper;

/// Runs every block of a launch on the host.
template <class T, int kDim, int kConsumers>
struct Sm90 {
  using Kernel = FlashSm90<HostHopper, T, kDim, kConsumers>;
  static void launch(const AttentionProblem& p, const DeviceJob& tensors, std::uint64_t seed) {
    const auto map = [&](const void* base, std::int64_t heads, int rows) {
      return support::HostTensorMap{static_cast<const std::uint16_t*>(base), p.head_dim, p.seq, p.batch * heads, rows};
    };
    FlashSm90Job<HostHopper> job{tensors, map(tensors.q, p.heads, 64), map(tensors.k, p.kv_heads, Kernel::kKeys), map(tensors.v, p.kv_heads, Kernel::kKeys)};
    for (int block = 0; block < Kernel::blocks(job); ++block)
      support::run_block(Kernel::kThreads, block, Kernel::kSharedBytes, seed + static_cast<std::uint64_t>(block), [&] { Kernel(job).run(); });
  }
};

TEST(FlashSm90, EqualsTheOracleAtEveryEdgeOfATile) {
  for (const bool causal : {false, true})
    for (const std::int64_t seq : {1, 63, 65, 127, 128, 129, 192, 300}) {  // blocks of 128 keys; 192 rows
      SCOPED_TRACE(concat("L ", seq, " causal ", causal));
      test::expect_the_oracles_answer<Sm90<Bf16, 64, 3>>(test::one_head(seq, 64, causal));
    }
}

TEST(FlashSm90, KeepsItsPlacesApartOverManyRounds) {
  test::expect_the_oracles_answer<Sm90<Bf16, 64, 3>>(test::one_head(900, 64, true));
  test::expect_the_oracles_answer<Sm90<Bf16, 128, 2>>(test::one_head(700, 128, false));
}

TEST(FlashSm90, FillsUpOddHeadDimensionsWithZeros) {
  for (const std::int64_t head_dim : {8, 40}) test::expect_the_oracles_answer<Sm90<Bf16, 64, 3>>(test::one_head(140, head_dim, true));
  test::expect_the_oracles_answer<Sm90<F16, 128, 2>>(test::with(test::one_head(140, 96, false), "dtype", std::string("fp16")));
}

TEST(FlashSm90, KnowsGroupsBatchesWindowsAndPadding) {
  test::for_masks_and_groups([](const Params& changes) { test::expect_the_oracles_answer<Sm90<Bf16, 64, 3>>(changes); });
}

TEST(FlashSm90, HasTheSameBitsInWhateverOrderThingsHappen) { test::expect_the_same_bits<Sm90<Bf16, 64, 3>>(test::one_head(300, 64, true)); }

}  // namespace
}  // namespace bench::attention
