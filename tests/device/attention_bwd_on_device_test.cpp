// SPDX-License-Identifier: Apache-2.0
// Every backward attention kernel of the cuda backend on a device, against the fp64 oracle, and how far its bits repeat.
#include <algorithm>

#include "tests/device/attention_problem.hpp"
#include "tests/device/kernels_on_device.hpp"

namespace bench::attention {
namespace {

using AttentionBwdOnDevice = device::test::WithDevice;

std::vector<const Kernel*> backward_kernels() {
  auto kernels = test::kernels_on_device("attention");
  std::erase_if(kernels, [](const Kernel* kernel) { return std::ranges::count(kernel->passes, "bwd") == 0; });
  return kernels;
}

TEST_F(AttentionBwdOnDevice, EveryKernelEqualsTheOracleAtOddLengths) {
  int taken = 0;
  for (const Kernel* kernel : backward_kernels())
    for (const DType dtype : kernel->dtypes)
      for (const std::int64_t head_dim : {8, 64, 96, 128, 256})
        for (const bool causal : {false, true})
          // One row, and both sides of tiles of 64 and 128 rows or keys; 799 is a whole multiple of nothing.
          for (const std::int64_t seq : {1, 63, 65, 127, 128, 129, 193, 799})
            taken += test::check(*kernel, test::grouped_problem("bwd", dtype, seq, head_dim, causal), concat("L ", seq, " D ", head_dim, causal ? " causal" : " full"));
  EXPECT_GE(taken, 300) << "flash_bwd_mma_cuda and its ordered twin take 160 each";
}

/// The problem, changed in one respect.
template <class Change>
int check_all(const std::string& what, Change&& change) {
  int taken = 0;
  for (const Kernel* kernel : backward_kernels())
    for (const std::int64_t head_dim : {64, 128})
      for (const bool causal : {false, true}) {
        AttentionProblem p = test::grouped_problem("bwd", DType::bf16, 300, head_dim, causal);
        change(p);
        taken += test::check(*kernel, p, concat(what, " D ", head_dim, causal ? " causal" : " full"));
      }
  return taken;
}

TEST_F(AttentionBwdOnDevice, EveryKernelKnowsAllMasksAndCapsOrSaysNo) {
  int taken = 0;
  for (const std::int64_t window : {1, 64, 130, 1000})
    taken += check_all(concat("window ", window), [&](AttentionProblem& p) {
      p.batch = 3;
      p.window = window;
      p.key_lengths = {300, 1, 129};
    });
  for (const std::int64_t keys : {1, 129, 500}) taken += check_all(concat("Lk ", keys), [&](AttentionProblem& p) { p.kv_seq = keys; });
  taken += check_all("packed", [](AttentionProblem& p) { p.starts = {1, 100, 101, 230}; });
  taken += check_all("cap", [](AttentionProblem& p) { p.softcap = 2; });
  EXPECT_GE(taken, 72) << "flash_bwd_mma_cuda and its ordered twin take all";
}

/// Blocks of keys add to dQ as they come, where nothing orders them.
bool orders_dq(const Kernel& kernel) { return kernel.name != "attention/flash_bwd_mma_cuda" && kernel.name != "attention/flash_bwd_sm90_cuda"; }

TEST_F(AttentionBwdOnDevice, AHundredRunsHaveTheSameBitsButForDqWhereItsSumsHaveNoOrder) {
  for (const Kernel* kernel : backward_kernels())
    test::expect_the_same_bits(*kernel, test::grouped_problem("bwd", DType::bf16, 1000, 128, true), orders_dq(*kernel) ? std::vector<std::string>{} : std::vector<std::string>{"dq"});
}

TEST_F(AttentionBwdOnDevice, BlocksThatWaitForEachOtherEndWhereNotAllAreOnTheDeviceAtOnce) {
  for (const char* name : {"attention/flash_bwd_ordered_mma_cuda", "attention/flash_bwd_ordered_sm90_cuda"})
    for (const bool causal : {false, true}) {
      const Kernel& kernel = support::find_kernel(name);
      if (test::check(kernel, test::grouped_problem("bwd", DType::bf16, 65, 64, causal), "on this device") == 0) continue;
      AttentionProblem p = test::grouped_problem("bwd", DType::bf16, 4096, 64, causal);  // 512 blocks of keys, one an SM
      p.heads = p.kv_heads = 16;
      const Tensors inputs = support::make_inputs(support::find_op("attention"), p, 1);
      const Tensors first = test::run_alone(kernel, p, inputs), again = test::run_alone(kernel, p, inputs);
      for (const auto& [output, tensor] : first.all())
        EXPECT_EQ(std::memcmp(tensor.data(), again[output].data(), static_cast<std::size_t>(tensor.bytes())), 0) << name << ' ' << output;
    }
}

}  // namespace
}  // namespace bench::attention
