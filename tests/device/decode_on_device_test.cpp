// SPDX-License-Identifier: Apache-2.0
// Every decode kernel of the cuda backend on a device, against the fp64 oracle.
#include "kernels/decode/decode.hpp"

#include "kernels/decode/paged_split.hpp"
#include "tests/device/kernels_on_device.hpp"
#include "tests/kernels/decode/decode_cases.hpp"

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
            for (const std::int64_t heads : {2, 8, 22, 64, 140}) {  // groups of 1, 4, 11, 32 and 70: from a lane's to more than a block takes
              DecodeProblem p = problem(dtype, seq, heads, 2);
              p.head_dim = head_dim;
              p.page = page;
              p.lengths = Lengths::ragged;
              taken += test::check(*kernel, p, concat("L ", seq, " D ", head_dim, " H ", heads, " page ", page));
            }
  EXPECT_GE(taken, 10 * 400) << "ten kernels and types, which take all of 4 D, 4 pages, 5 L and 5 groups";
}

TEST_F(DecodeOnDevice, AHundredRunsHaveTheSameBits) {
  for (const Kernel* kernel : test::kernels_on_device("decode"))
    for (const std::int64_t heads : {8, 64}) test::expect_the_same_bits(*kernel, problem(kernel->dtypes.front(), 5000, heads, 2));
}

TEST_F(DecodeOnDevice, ASequenceHasTheSameBitsAloneAndInABatchWhereSpansAreFixed) {
  int taken = 0;
  for (const Kernel* kernel : test::kernels_on_device("decode")) {
    if (!kernel->name.ends_with("fixed_cuda")) continue;
    for (const DType dtype : kernel->dtypes) {
      DecodeProblem p = problem(dtype, 9 * kFixedSpan + 7, 32, 2);
      p.batch = 40;
      p.lengths = Lengths::ragged;
      const Tensors inputs = support::make_inputs(decode_op(), p, 1);
      const Tensors together = test::run_alone(*kernel, p, inputs);
      for (const std::int64_t sequence : {0, 1, 20, 39}) {
        SCOPED_TRACE(concat(kernel->name, ' ', to_text(dtype), " sequence ", sequence));
        const Alone one = alone(p, inputs, sequence);
        expect_same_bits(rows_of(together, sequence), test::run_alone(*kernel, one.p, one.inputs));
        ++taken;
      }
    }
  }
  EXPECT_EQ(taken, 4 * 5) << "of two kernels, five types";
}

}  // namespace
}  // namespace bench::decode
