// SPDX-License-Identifier: Apache-2.0
// Every decode kernel of the cuda backend on a device, against the fp64 oracle.
#include "kernels/decode/decode.hpp"
#include "tests/device/kernels_on_device.hpp"

namespace bench::decode {
namespace {

using DecodeOnDevice = device::test::WithDevice;

DecodeProblem problem(DType dtype, std::int64_t seq, std::int64_t heads, std::int64_t kv_heads) {
  DecodeProblem p;
  p.dtype = dtype;
  p.batch = 3;
  p.seq = seq;
  p.heads = heads;
  p.kv_heads = kv_heads;
  return p;
}

TEST_F(DecodeOnDevice, EveryKernelEqualsTheOracle) {
  int taken = 0;
  for (const Kernel* kernel : test::kernels_on_device("decode"))
    for (const DType dtype : kernel->dtypes)
      for (const std::int64_t head_dim : {64, 72, 128, 256})
        for (const std::int64_t page : {16, 32, 64, 256})
          for (const std::int64_t seq : {1, 17, 255, 1000, 5000})  // one span, its edge, and many
            for (const std::int64_t heads : {2, 8, 22}) {          // groups of 1, 4 and 11
              DecodeProblem p = problem(dtype, seq, heads, 2);
              p.head_dim = head_dim;
              p.page = page;
              p.lengths = Lengths::ragged;
              taken += test::check(*kernel, p, concat("L ", seq, " D ", head_dim, " H ", heads, " page ", page));
            }
  EXPECT_GE(taken, 480) << "paged_cuda takes all";
}

TEST_F(DecodeOnDevice, AHundredRunsHaveTheSameBits) {
  for (const Kernel* kernel : test::kernels_on_device("decode")) test::expect_the_same_bits(*kernel, problem(kernel->dtypes.front(), 5000, 8, 2));
}

}  // namespace
}  // namespace bench::decode
