// SPDX-License-Identifier: Apache-2.0
// Every attention kernel of the cuda backend on a device, against the fp64 oracle.
#include <utility>

#include "tests/device/attention_problem.hpp"
#include "tests/device/kernels_on_device.hpp"

namespace bench::attention {
namespace {

using AttentionOnDevice = device::test::WithDevice;

TEST_F(AttentionOnDevice, EveryKernelEqualsTheOracleAtOddLengths) {
  int taken = 0;
  for (const Kernel* kernel : test::kernels_on_device("attention"))
    for (const DType dtype : kernel->dtypes)
      for (const std::int64_t head_dim : {8, 64, 96, 128, 256})
        for (const bool causal : {false, true})
          // One row, and both sides of tiles of 64, 128 and 192 rows or keys; 799 and 1023 are whole multiples of nothing.
          for (const std::int64_t seq : {1, 63, 65, 127, 128, 129, 193, 239, 799, 1023, 1024})
            taken += test::check(*kernel, test::grouped_problem("fwd", dtype, seq, head_dim, causal), concat("L ", seq, " D ", head_dim, causal ? " causal" : " full"));
  EXPECT_GE(taken, 200) << "flash_mma_cuda alone takes 220";
}

TEST_F(AttentionOnDevice, EveryKernelKnowsWindowsAndPaddingOrSaysNo) {
  int taken = 0;
  for (const Kernel* kernel : test::kernels_on_device("attention"))
    for (const bool causal : {false, true})
      for (const std::int64_t window : {0, 1, 64, 130, 1000}) {
        AttentionProblem p = test::grouped_problem("fwd", DType::bf16, 300, 64, causal);
        p.batch = 3;
        p.window = window;
        p.key_lengths = {300, 1, 129};
        taken += test::check(*kernel, p, concat("window ", window, causal ? " causal" : " full"));
      }
  EXPECT_GE(taken, 10) << "flash_mma_cuda takes all";
}

TEST_F(AttentionOnDevice, EveryKernelAlignsTheLastQueryWithTheLastKeyOrSaysNo) {
  // FlashAttention's odd shapes, and fewer keys than queries, where the first rows see none.
  const std::pair<std::int64_t, std::int64_t> lengths[] = {{1, 1},     {64, 128},   {128, 192},   {239, 1},     {799, 3},     {3, 799},
                                                          {113, 203}, {128, 217},  {640, 128},   {1023, 1024}, {1024, 1023}};
  int taken = 0;
  for (const Kernel* kernel : test::kernels_on_device("attention"))
    for (const bool causal : {false, true})
      for (const auto& [seq, keys] : lengths) {
        AttentionProblem p = test::grouped_problem("fwd", DType::bf16, seq, 128, causal);
        p.kv_seq = keys;
        taken += test::check(*kernel, p, concat("L ", seq, " Lk ", keys, causal ? " causal" : " full"));
      }
  EXPECT_GE(taken, 22) << "flash_mma_cuda takes all";
}

TEST_F(AttentionOnDevice, EveryKernelCapsScoresOrSaysNo) {
  int taken = 0;
  for (const Kernel* kernel : test::kernels_on_device("attention"))
    for (const std::int64_t cap : {1, 3, 50})  // nearly all scores at the cap, some, hardly any
      for (const std::int64_t head_dim : {64, 128}) {
        AttentionProblem p = test::grouped_problem("fwd", DType::bf16, 300, head_dim, true);
        p.softcap = cap;
        taken += test::check(*kernel, p, concat("cap ", cap, " D ", head_dim));
      }
  EXPECT_GE(taken, 6) << "flash_mma_cuda takes all";
}

TEST_F(AttentionOnDevice, EveryKernelKeepsPackedSequencesApartOrSaysNo) {
  int taken = 0;
  for (const Kernel* kernel : test::kernels_on_device("attention"))
    for (const bool causal : {false, true})
      for (const std::int64_t window : {0, 100}) {
        AttentionProblem p = test::grouped_problem("fwd", DType::bf16, 700, 64, causal);
        p.starts = {1, 63, 64, 70, 320, 512, 699};  // of one row, within tiles, at their edges, over several
        p.window = window;
        taken += test::check(*kernel, p, concat("packed, window ", window, causal ? " causal" : " full"));
      }
  EXPECT_GE(taken, 4) << "flash_mma_cuda takes all";
}

/// More tiles than any device has multiprocessors, so that persistent blocks take several, dealt out in turn and as they fall free.
AttentionProblem many_tiles(DType dtype, std::int64_t head_dim, bool causal) {
  AttentionProblem p = test::grouped_problem("fwd", dtype, 1023, head_dim, causal);
  p.batch = 3;
  p.heads = 32;
  p.kv_heads = 8;
  return p;
}

TEST_F(AttentionOnDevice, BlocksThatTakeTileAfterTileEqualTheOracle) {
  for (const Kernel* kernel : test::kernels_on_device("attention"))
    for (const std::int64_t head_dim : {64, 128, 256})
      for (const bool causal : {false, true})
        for (const std::int64_t window : {0, 200}) {
          AttentionProblem p = many_tiles(DType::bf16, head_dim, causal);
          p.window = window;
          test::check(*kernel, p, concat("768 tiles, D ", head_dim, " window ", window, causal ? " causal" : " full"));
          p.key_lengths = {1023, 5, 600};  // with the window most of the second sequence's tiles see no key
          test::check(*kernel, p, concat("768 tiles, padded, D ", head_dim, " window ", window, causal ? " causal" : " full"));
        }
}

TEST_F(AttentionOnDevice, AHundredRunsHaveTheSameBits) {
  for (const Kernel* kernel : test::kernels_on_device("attention")) {
    test::expect_the_same_bits(*kernel, test::grouped_problem("fwd", kernel->dtypes.front(), 1000, 128, true));
    test::expect_the_same_bits(*kernel, many_tiles(kernel->dtypes.front(), 128, true));
  }
}

}  // namespace
}  // namespace bench::attention
