// SPDX-License-Identifier: Apache-2.0
// The backward tensor-core kernel's bodies, run on the host thread by thread and held against the fp64 oracle.
#include "kernels/attention/flash_bwd_mma.hpp"

#include <gtest/gtest.h>

#include "kernels/attention/bwd_rows.hpp"
#include "tests/kernels/attention/bwd_host_launch.hpp"
#include "tests/support/host_machine.hpp"

namespace bench::attention {
namespace {

using support::HostMachine;

template <class T, int kDim, int kRowsOfBlock, int kKeys, int kStages, bool kOrdered = false>
struct Mma {
  using Kernel = FlashBwdMma<HostMachine, T, kDim, kRowsOfBlock, kKeys, kStages, kOrdered>;
  using Before = BwdRows<HostMachine, T, kDim, kRowsOfBlock>;
  using Behind = BwdQueries<HostMachine, T, typename Kernel::Slots>;
  static constexpr int kAtATime = 3;
  static void launch(const AttentionProblem&, const BwdJob& job, std::uint64_t seed) {
    support::run_blocks(Before::blocks(job), Before::kThreads, 0, seed, [&] { Before::run(job); });
    support::run_blocks_together(kAtATime, Kernel::blocks(job), Kernel::kThreads, Kernel::kSharedBytes, seed, [&] { Kernel(job).run(); });
    support::run_blocks(Behind::blocks(job), Behind::kThreads, 0, seed, [&] { Behind::run(job); });
  }
};
using Small = Mma<Bf16, 64, 64, 64, 2>;

TEST(FlashBwdMma, EqualsTheOracleAtEveryEdgeOfATile) {
  for (const bool causal : {false, true})
    for (const std::int64_t seq : {1, 7, 63, 64, 65, 127, 129, 200}) {  // of 64 rows and 64 keys
      SCOPED_TRACE(concat("L ", seq, " causal ", causal));
      test::expect_the_oracles_gradients<Small>(test::backward_head(seq, 64, causal));
    }
}

TEST(FlashBwdMma, EqualsTheOracleInTheShapesThatAreLaunched) {
  test::expect_the_oracles_gradients<Mma<Bf16, 64, 128, 128, 2>>(test::backward_head(257, 64, true));
  test::expect_the_oracles_gradients<Mma<Bf16, 128, 64, 128, 2>>(test::backward_head(193, 128, true));
  test::expect_the_oracles_gradients<Mma<Bf16, 256, 64, 64, 1>>(test::backward_head(129, 256, false));
}

TEST(FlashBwdMma, FillsUpOddHeadDimensionsWithZeros) {
  for (const std::int64_t head_dim : {8, 40, 56}) test::expect_the_oracles_gradients<Small>(test::backward_head(70, head_dim, true));
  test::expect_the_oracles_gradients<Mma<Bf16, 128, 64, 128, 2>>(test::backward_head(140, 96, false));
}

TEST(FlashBwdMma, ComputesHalfPrecisionToo) {
  test::expect_the_oracles_gradients<Mma<F16, 64, 64, 64, 2>>(test::with(test::backward_head(130, 64, true), "dtype", std::string("fp16")));
}

TEST(FlashBwdMma, KnowsEveryMaskGroupsAndCaps) { test::expect_the_oracles_gradients_under_every_mask<Small>(); }

TEST(FlashBwdMma, HasTheSameBitsButForDqInWhateverOrderThreadsTakeTurns) {
  test::expect_the_same_gradients<Small>(test::backward_head(200, 64, true), {"dk", "dv"});
}

using Ordered = Mma<Bf16, 64, 64, 64, 2, true>;

TEST(FlashBwdOrderedMma, EqualsTheOracle) {
  test::for_masks_and_groups([](const Params& changes) { test::expect_the_oracles_gradients<Ordered>(test::with(changes, "pass", std::string("bwd"))); });
  test::expect_the_oracles_gradients<Mma<Bf16, 256, 64, 64, 1, true>>(test::backward_head(200, 256, true));
}

TEST(FlashBwdOrderedMma, HasTheSameBitsInWhateverOrderThreadsAndBlocksTakeTurns) {
  for (const bool causal : {false, true})  // five blocks of keys, three at a time
    test::expect_the_same_gradients<Ordered>(test::backward_head(300, 64, causal), {"dq_sums", "dq", "dk", "dv"});
  test::expect_the_same_gradients<Ordered>(test::with(test::backward_head(260, 64, false), "window", std::int64_t{70}), {"dq_sums", "dq", "dk", "dv"});
}

TEST(FlashBwdMma, HasOtherBitsInDqWhereBlocksAddInAnotherOrder) {
  const AttentionProblem p = test::parsed(test::backward_head(300, 64, false));
  Tensors given = test::saved_inputs(p);
  const Tensors first = test::backward<Small>(p, given, 1);
  bool others = false;
  for (std::uint64_t seed = 2; seed < 8 && !others; ++seed) {
    const Tensors again = test::backward<Small>(p, given, seed);
    others = std::memcmp(first["dq_sums"].data(), again["dq_sums"].data(), static_cast<std::size_t>(first["dq_sums"].bytes())) != 0;
  }
  EXPECT_TRUE(others) << "then the host runs blocks in one order only, and the test of the ordered kernel cannot fail";
}

TEST(Swizzle, MovesByChunksAsIfWorkedOutAnew) {
  for (int row = 0; row < 16; ++row)
    for (int first = 0; first < 8; ++first)
      for (int chunks = 0; chunks < 16; ++chunks) {
        if ((first & chunks % 8) != 0) continue;
        EXPECT_EQ(cuda::moved_by_chunks(1024 + cuda::swizzled(row, first, 64), chunks, 64), 1024 + cuda::swizzled(row, first + chunks, 64));
      }
}

TEST(RowBlocks, AreThoseThatSeeABlockOfKeys) {
  for (const int seq : {1, 5, 16, 33})
    for (const int shift : {-6, 0, 9})
      for (const bool causal : {false, true})
        for (const int window : {0, 1, 3, 16, 40})
          for (int valid = 0; valid <= seq + shift; ++valid) {
            const RowMask mask{seq, valid, window, causal, shift};
            const RowBlocks rows{mask, 8, 4, (seq + 7) / 8};
            for (int keys = 0; keys * 4 < seq + shift; ++keys)
              for (int i = 0; i < rows.count; ++i) {
                const KeyBlocks seen(mask, i * 8, 8, 4);
                const bool sees = seen.begin() <= keys && keys < seen.end();
                ASSERT_EQ(rows.begin(keys) <= i && i < rows.end(keys), sees) << "L " << seq << " shift " << shift << " rows " << i << " keys " << keys;
              }
          }
}

}  // namespace
}  // namespace bench::attention
