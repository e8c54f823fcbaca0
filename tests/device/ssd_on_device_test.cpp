// SPDX-License-Identifier: Apache-2.0
// Every ssd kernel of the cuda backend on a device, against the fp64 oracle.
#include "kernels/scan/ssd.hpp"

#include <cstring>
#include <utility>

#include "src/device/buffer.hpp"
#include "tests/device/kernels_on_device.hpp"
#include "tests/kernels/scan/ssd_host_launch.hpp"

namespace bench::scan {
namespace {

using bench::test::check;
using bench::test::kernels_on_device;
using SsdOnDevice = device::test::WithDevice;

SsdProblem problem(const Kernel& kernel, DType dtype, std::int64_t seq, std::int64_t heads, std::int64_t head_dim, std::int64_t state) {
  SsdProblem p;
  p.dtype = dtype;
  p.pass = kernel.passes.front();
  p.seq = seq;
  p.heads = heads;
  p.head_dim = head_dim;
  p.state = state;
  return p;
}

TEST_F(SsdOnDevice, EveryKernelEqualsTheOracle) {
  int taken = 0;
  for (const Kernel* kernel : kernels_on_device("ssd"))
    for (const DType dtype : kernel->dtypes)
      for (const std::int64_t head_dim : {32, 64, 72, 128})  // half a block's elements, all, one and a piece, two
        for (const std::int64_t state : {16, 64, 128, 200, 256})
          for (const std::int64_t seq : {1, 63, 64, 65, 129, 257, 600}) {  // around chunks of 64, 128 and 256 steps, and several
            SsdProblem p = problem(*kernel, dtype, seq, 4, head_dim, state);
            p.batch = 2;
            p.groups = 2;
            p.gated = seq % 2 == 0;
            taken += check(*kernel, p, concat("L ", seq, " P ", head_dim, " N ", state));
          }
  EXPECT_GE(taken, 1400) << "five 16-bit kernels forward and one backward: all but N > 128 or what needs Hopper's shared memory; one each way of three types";
}

/// Sizes that tensor cores' rows of 16 bytes do not take: the plain kernels alone.
TEST_F(SsdOnDevice, OddSizesEqualTheOracle) {
  int taken = 0;
  for (const Kernel* kernel : kernels_on_device("ssd"))
    for (const std::int64_t head_dim : {1, 65})
      for (const std::int64_t state : {1, 17, 65, 129}) {  // around what each shape of lanes takes
        SsdProblem p = problem(*kernel, kernel->dtypes.front(), 130, 18, head_dim, state);
        p.batch = 3;
        p.groups = 2;  // nine heads a group: two shares, of an odd number of elements
        taken += check(*kernel, p, concat("P ", head_dim, " N ", state));
      }
  EXPECT_GE(taken, 2 * 8) << "one kernel each way";
}

TEST_F(SsdOnDevice, PackedSequencesAndLimitedStepsAreTaken) {
  for (const Kernel* kernel : kernels_on_device("ssd"))
    for (const auto& starts : {std::vector<std::int64_t>{1, 64, 128, 129, 399}, std::vector<std::int64_t>{200}}) {
      SsdProblem p = problem(*kernel, kernel->dtypes.front(), 400, 10, 64, 64);
      p.starts = starts;
      p.limits = {0.003, 0.05};
      check(*kernel, p, "packed");
    }
}

/// Kernels that take two heads of a group a block: the last of a group has one, a group of one head never two.
TEST_F(SsdOnDevice, GroupsOfAnyNumberOfHeadsAreTaken) {
  for (const Kernel* kernel : kernels_on_device("ssd"))
    for (const auto& [heads, groups] : {std::pair<int, int>{5, 1}, {6, 2}, {3, 3}})
      for (const std::int64_t head_dim : {16, 72, 136}) {  // a part of 64 elements, two, three
        SsdProblem p = problem(*kernel, kernel->dtypes.front(), 300, heads, head_dim, 48);
        p.batch = 2;
        p.groups = groups;
        p.gated = true;
        check(*kernel, p, concat("H ", heads, " G ", groups, " P ", head_dim));
      }
}

/// Problems whose decays are hard for sums, spoilt as in the tests on the host.
TEST_F(SsdOnDevice, DecaysThatSumsWouldLoseKeepTheirDigits) {
  for (const Kernel* kernel : kernels_on_device("ssd"))
    for (const DType dtype : kernel->dtypes)
      for (const Spoil& spoil : test::hard_inputs())
        expect_like_oracle(*kernel, {{"seq", std::int64_t{1000}},
                                     {"heads", std::int64_t{4}},
                                     {"state", std::int64_t{64}},
                                     {"dtype", std::string(to_text(dtype))},
                                     {"pass", kernel->passes.front()}},
                           spoil);
}

/// The state's memory ends within some thousand steps, so an error that grows with L shows here.
TEST_F(SsdOnDevice, LongSequencesDoNotDrift) {
  for (const Kernel* kernel : kernels_on_device("ssd")) check(*kernel, problem(*kernel, kernel->dtypes.front(), 100'003, 2, 64, 128), "long");
}

/// Kernels that differ in their chunks alone answer alike: each is within the oracle's tolerance, so any two are within twice that.
TEST_F(SsdOnDevice, ChunksOfAnySizeGiveTheSameAnswer) {
  const Op& op = support::find_op("ssd");
  std::vector<const Kernel*> chunked;
  for (const Kernel* kernel : kernels_on_device("ssd"))
    if (kernel->passes.front() == "fwd" && check(*kernel, problem(*kernel, DType::bf16, 1000, 4, 64, 128), "alone") == 1) chunked.push_back(kernel);
  if (chunked.empty()) GTEST_SKIP() << "no kernel runs on this device";
  const SsdProblem p = problem(*chunked.front(), DType::bf16, 1000, 4, 64, 128);
  const Tensors inputs = support::make_inputs(op, p, 1), reference = support::widen(bench::test::run_alone(*chunked.front(), p, inputs));
  for (const Kernel* kernel : chunked)
    for (const auto& e : support::compare_to(*kernel, op, p, reference, bench::test::run_alone(*kernel, p, inputs))) EXPECT_LE(e.error, 2.0 * e.tolerance) << kernel->name << ' ' << e.text();
}

TEST_F(SsdOnDevice, AHundredRunsHaveTheSameBits) {
  for (const Kernel* kernel : kernels_on_device("ssd")) {
    SsdProblem p = problem(*kernel, kernel->dtypes.front(), 1000, 20, 64, 128);
    p.groups = 2;
    bench::test::expect_the_same_bits(*kernel, p);
  }
}

/// Tensors of equal batch entries from those of one; what has no entries stays.
Tensors repeated(const std::vector<TensorSpec>& specs, const Tensors& one) {
  Tensors all;
  for (const TensorSpec& spec : specs) {
    Tensor& tensor = all.add(spec.name, Tensor(spec.dtype, spec.shape));
    const std::int64_t bytes = one[spec.name].bytes();
    for (std::int64_t i = 0; i < tensor.bytes() / bytes; ++i) std::memcpy(tensor.data() + i * bytes, one[spec.name].data(), static_cast<std::size_t>(bytes));
  }
  return all;
}

TEST_F(SsdOnDevice, EntriesBeyondTwoToThe31ElementsAreLikeTheFirst) {
  if (device::free_memory().free_bytes < std::int64_t{64} << 30) GTEST_SKIP() << "needs 64 GB of the device's memory";
  constexpr std::int64_t kEntries = 128;  // of 1025 x 256 x 64 elements: 2^31 and 2 million
  const Op& op = support::find_op("ssd");
  for (const Kernel* kernel : kernels_on_device("ssd")) {
    SsdProblem p = problem(*kernel, DType::bf16, 1025, 256, 64, 8);
    if (!supports_case(*kernel, p).empty()) continue;
    SCOPED_TRACE(kernel->name);
    const Tensors one = support::make_inputs(op, p, 1), first = bench::test::run_alone(*kernel, p, one);
    p.batch = kEntries;
    const Tensors all = bench::test::run_alone(*kernel, p, repeated(op.inputs(p), one));
    for (const auto& [name, tensor] : first.all()) {
      if (all[name].bytes() == tensor.bytes()) continue;  // a sum over entries
      const std::int64_t last = all[name].bytes() - tensor.bytes();
      EXPECT_EQ(std::memcmp(all[name].data() + last, tensor.data(), static_cast<std::size_t>(tensor.bytes())), 0) << name;
    }
  }
}

}  // namespace
}  // namespace bench::scan
