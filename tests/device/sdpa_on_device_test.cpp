// SPDX-License-Identifier: Apache-2.0
// LibTorch's attention backends on a device, against the fp64 oracle, and without one.
#include <gtest/gtest.h>

#include "tests/device/attention_problem.hpp"
#include "kernels/library.hpp"
#include "tests/device/kernels_on_device.hpp"
#include "tests/support/torch_plugin.hpp"

namespace bench::attention {
namespace {

constexpr const char* kBackends[] = {"attention/sdpa_math_cuda_torch", "attention/sdpa_flash_cuda_torch", "attention/sdpa_efficient_cuda_torch",
                                     "attention/sdpa_cudnn_cuda_torch"};

class SdpaOnDevice : public device::test::WithDevice {
 protected:
  void SetUp() override {
    WithDevice::SetUp();
    if (IsSkipped()) return;
    if (const std::string missing = support::load_torch_plugin(); !missing.empty()) GTEST_SKIP() << missing;
  }
};

AttentionProblem problem(const std::string& pass, DType dtype, std::int64_t seq, std::int64_t head_dim, bool causal) {
  AttentionProblem p = test::grouped_problem(pass, dtype, seq, head_dim, causal);
  p.batch = 2;
  return p;
}

int check_shapes(const Kernel& kernel, const std::string& pass) {
  int taken = 0;
  for (const DType dtype : kernel.dtypes)
    for (const std::int64_t head_dim : {64, 128, 256})
      for (const bool causal : {false, true})
        for (const std::int64_t seq : {65, 256, 799})  // odd, whole tiles, whole multiples of nothing
          taken += test::check(kernel, problem(pass, dtype, seq, head_dim, causal), concat(pass, " L ", seq, " D ", head_dim, causal ? " causal" : " full"));
  return taken;
}

TEST_F(SdpaOnDevice, EveryBackendEqualsTheOracleOrSaysNo) {
  for (const char* name : kBackends)
    for (const char* pass : {"fwd", "bwd"}) EXPECT_GE(check_shapes(support::find_kernel(name), pass), 12) << name << ' ' << pass << ": D 64 and 128 at least";
}

TEST_F(SdpaOnDevice, TheCompositeOpKnowsWindowsAndPadding) {
  AttentionProblem p = problem("fwd", DType::bf16, 100, 64, true);
  p.window = 33;
  p.key_lengths = {100, 40};
  EXPECT_EQ(test::check(support::find_kernel(kBackends[0]), p, "window 33"), 1);
}

/// Needs no device: that is what it is about.
TEST(SdpaWithoutDevice, IsKnownByNameAndUnavailableWithAReason) {
  if (const std::string missing = support::load_torch_plugin(); !missing.empty()) GTEST_SKIP() << missing;
  const bool device = device::probe().count > 0;
  for (const char* name : kBackends) {
    const Kernel& kernel = support::find_kernel(name);
    EXPECT_EQ(kernel.backend, Backend::cuda);
    if (device) continue;
    const AttentionProblem p = problem("fwd", DType::bf16, 64, 64, false);
    try {
      test::run_alone(kernel, p, support::make_inputs(support::find_op("attention"), p, 1));
      ADD_FAILURE() << name << " ran without a device";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unavailable) << name << ": " << error.what();
      EXPECT_NE(std::string(error.what()).find("LibTorch"), std::string::npos) << error.what();
    }
  }
}

TEST(SdpaWithoutDevice, LibrariesSayTheirVersionsOrWhyTheyAreNotThere) {
  if (const std::string missing = support::load_torch_plugin(); !missing.empty()) GTEST_SKIP() << missing;
  for (const char* name : {"LibTorch", "cuDNN", "cuBLAS"}) {
    const Library* library = Registry<Library>::instance().find(name);
    ASSERT_NE(library, nullptr) << name;
    EXPECT_TRUE(std::string(library->version()).find_first_of("123456789") == 0 || library->version().starts_with("unavailable: ")) << name << ' ' << library->version();
    RecordProperty(name, library->version());
  }
}

}  // namespace
}  // namespace bench::attention
