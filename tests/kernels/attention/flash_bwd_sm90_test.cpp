// SPDX-License-Identifier: Apache-2.0
// Hopper's backward kernel, run on the host thread by thread, its copies, products and additions late, and held against the fp64 oracle.
#include "kernels/attention/flash_bwd_sm90.hpp"

#include <gtest/gtest.h>

#include "kernels/attention/bwd_rows.hpp"
#include "tests/kernels/attention/bwd_host_launch.hpp"
#include "tests/support/host_hopper.hpp"

namespace bench::attention {
namespace {

using support::HostHopper;

template <class T, int kDim, int kRowsOfBlock, bool kOrdered = false>
struct Sm90 {
  using Kernel = FlashBwdSm90<HostHopper, T, kDim, kRowsOfBlock, kOrdered>;
  using Before = BwdRows<HostHopper, T, kDim, kRowsOfBlock>;
  using Behind = BwdQueries<HostHopper, T, typename Kernel::Slots>;
  static constexpr int kAtATime = 3, kRows = kRowsOfBlock;
  static void launch(const AttentionProblem& p, const BwdJob& tensors, std::uint64_t seed) {
    const auto map = [&](const void* base, std::int64_t heads, std::int64_t length, int rows) {
      return support::HostTensorMap{static_cast<std::uint16_t*>(const_cast<void*>(base)), p.head_dim, length, p.batch * heads, rows};
    };
    const FlashBwdSm90Job<HostHopper> job{tensors, map(tensors.q, p.heads, p.seq, kRows), map(tensors.k, p.kv_heads, p.kv_length(), Kernel::kKeys),
                                          map(tensors.v, p.kv_heads, p.kv_length(), Kernel::kKeys), map(tensors.dout, p.heads, p.seq, kRows)};
    support::run_blocks(Before::blocks(job), Before::kThreads, 0, seed, [&] { Before::run(job); });
    support::run_blocks_together(kAtATime, Kernel::blocks(job), Kernel::kThreads, Kernel::kSharedBytes, seed, [&] { Kernel(job).run(); });
    support::run_blocks(Behind::blocks(job), Behind::kThreads, 0, seed, [&] { Behind::run(job); });
  }
};
using Narrow = Sm90<Bf16, 64, 128>;
using Wide = Sm90<Bf16, 128, 64>;

TEST(FlashBwdSm90, EqualsTheOracleAtEveryEdgeOfATile) {
  for (const bool causal : {false, true})
    for (const std::int64_t seq : {1, 65, 127, 128, 129, 257}) {  // blocks of 128 keys and 128 rows
      SCOPED_TRACE(concat("L ", seq, " causal ", causal));
      test::expect_the_oracles_gradients<Narrow>(test::backward_head(seq, 64, causal));
    }
}

TEST(FlashBwdSm90, KeepsItsPlacesApartOverManyRounds) {
  test::expect_the_oracles_gradients<Wide>(test::backward_head(330, 128, true));  // up to six rounds of 64 rows
  test::expect_the_oracles_gradients<Narrow>(test::with(test::with(test::backward_head(300, 64, false), "heads", std::int64_t{3}), "kv_heads", std::int64_t{1}));
}

TEST(FlashBwdSm90, FillsUpOddHeadDimensionsWithZeros) {
  for (const std::int64_t head_dim : {8, 40}) test::expect_the_oracles_gradients<Narrow>(test::backward_head(140, head_dim, true));
  test::expect_the_oracles_gradients<Sm90<F16, 128, 64>>(test::with(test::backward_head(140, 96, false), "dtype", std::string("fp16")));
}

TEST(FlashBwdSm90, KnowsEveryMaskGroupsAndCaps) { test::expect_the_oracles_gradients_under_every_mask<Narrow>(); }

TEST(FlashBwdSm90, HasTheSameBitsButForDqInWhateverOrderThingsHappen) { test::expect_the_same_gradients<Wide>(test::backward_head(200, 128, true), {"dk", "dv"}); }

TEST(FlashBwdOrderedSm90, EqualsTheOracle) {
  test::for_masks_and_groups([](const Params& changes) { test::expect_the_oracles_gradients<Sm90<Bf16, 64, 128, true>>(test::with(changes, "pass", std::string("bwd"))); });
  test::expect_the_oracles_gradients<Sm90<Bf16, 128, 64, true>>(test::backward_head(200, 128, true));
}

TEST(FlashBwdOrderedSm90, HasTheSameBitsInWhateverOrderThingsHappen) {
  for (const bool causal : {false, true})  // four blocks of keys, three at a time
    test::expect_the_same_gradients<Sm90<Bf16, 64, 128, true>>(test::backward_head(500, 64, causal), {"dq_sums", "dq", "dk", "dv"});
}

}  // namespace
}  // namespace bench::attention
