// SPDX-License-Identifier: Apache-2.0
// Every attention kernel of the cuda backend on a device, against the fp64 oracle.
#include <cstring>

#include "kernels/attention/attention.hpp"
#include "kernels/kernel.hpp"
#include "src/comm/link_threads.hpp"
#include "tests/device/with_device.hpp"
#include "tests/support/run_case.hpp"

namespace bench::attention {
namespace {

using AttentionOnDevice = device::test::WithDevice;

std::vector<const Kernel*> kernels() {
  std::vector<const Kernel*> found;
  for (const Kernel* kernel : Registry<Kernel>::instance().all())
    if (kernel->op == "attention" && kernel->backend == Backend::cuda) found.push_back(kernel);
  return found;
}

AttentionProblem problem(DType dtype, std::int64_t seq, std::int64_t head_dim, bool causal) {
  AttentionProblem p;
  p.dtype = dtype;
  p.seq = seq;
  p.head_dim = head_dim;
  p.causal = causal;
  p.heads = 4;
  p.kv_heads = 2;
  return p;
}

/// True when the kernel takes the problem; then it has been held against the oracle.
bool check(const Kernel& kernel, const AttentionProblem& p) {
  if (!supports_case(kernel, p).empty()) return false;
  SCOPED_TRACE(concat(kernel.name, ' ', to_text(p.dtype), " L ", p.seq, " D ", p.head_dim, p.causal ? " causal" : " full", " window ", p.window));
  const Op& op = support::find_op("attention");
  const Tensors inputs = support::make_inputs(op, p, 1);
  const Tensors outputs = support::run_kernel(kernel, op, p, inputs, comm::make_thread_links(1));
  for (const auto& e : support::compare(kernel, op, p, inputs, outputs)) EXPECT_LE(e.error, e.tolerance) << e.text();
  return true;
}

TEST_F(AttentionOnDevice, EveryKernelEqualsTheOracleAtOddLengths) {
  for (const Kernel* kernel : kernels()) {
    int taken = 0;
    for (const DType dtype : kernel->dtypes)
      for (const std::int64_t head_dim : {8, 64, 96, 128, 256})
        for (const bool causal : {false, true})
          // One row, and both sides of tiles of 64, 128 and 192 rows or keys; 799 and 1023 are whole multiples of nothing.
          for (const std::int64_t seq : {1, 63, 65, 127, 128, 129, 193, 239, 799, 1023, 1024}) taken += check(*kernel, problem(dtype, seq, head_dim, causal)) ? 1 : 0;
    EXPECT_GT(taken, 20) << kernel->name;
  }
}

TEST_F(AttentionOnDevice, EveryKernelKnowsWindowsAndPaddingOrSaysNo) {
  for (const Kernel* kernel : kernels())
    for (const bool causal : {false, true})
      for (const std::int64_t window : {0, 1, 64, 130, 1000}) {
        AttentionProblem p = problem(DType::bf16, 300, 64, causal);
        p.batch = 3;
        p.window = window;
        p.key_lengths = {300, 1, 129};
        check(*kernel, p);
      }
}

TEST_F(AttentionOnDevice, AHundredRunsHaveTheSameBits) {
  for (const Kernel* kernel : kernels()) {
    const AttentionProblem p = problem(kernel->dtypes.front(), 1000, 128, true);
    if (!supports_case(*kernel, p).empty()) continue;
    const Op& op = support::find_op("attention");
    const Tensors inputs = support::make_inputs(op, p, 1);
    const auto run = [&] { return support::run_kernel(*kernel, op, p, inputs, comm::make_thread_links(1)); };
    const Tensors first = run();
    for (int i = 0; i < 100; ++i) {
      const Tensors again = run();
      for (const char* name : {"out", "lse"})
        ASSERT_EQ(std::memcmp(first[name].data(), again[name].data(), static_cast<std::size_t>(first[name].bytes())), 0)
            << kernel->name << ' ' << name << ", run " << i;
    }
  }
}

}  // namespace
}  // namespace bench::attention
