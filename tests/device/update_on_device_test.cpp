// SPDX-License-Identifier: Apache-2.0
// Every state update of the cuda backend on a device, against the fp64 oracle, and how far its bits repeat.
#include "kernels/scan/update.hpp"

#include "src/device/buffer.hpp"
#include "tests/device/kernels_on_device.hpp"
#include "tests/kernels/scan/scan_cases.hpp"

namespace bench::scan {
namespace {

using UpdateOnDevice = device::test::WithDevice;

Params sizes(std::int64_t batch, std::int64_t heads, std::int64_t head_dim, std::int64_t state, bool tied) {
  return {{"batch", batch}, {"heads", heads}, {"head_dim", head_dim}, {"state", state}, {"tied", tied}};
}

int check_all(const Params& params) {
  const Op& op = support::find_op("ssm_update");
  int taken = 0;
  for (const Kernel* kernel : test::kernels_on_device("ssm_update"))
    for (const DType dtype : kernel->dtypes) {
      Params typed = params_with(op, params);
      typed["dtype"] = std::string(to_text(dtype));
      taken += test::check(*kernel, *op.parse(typed), text_of(params));
    }
  return taken;
}

TEST_F(UpdateOnDevice, EveryKernelEqualsTheOracleAtEveryEdge) {
  int taken = 0;
  for (const bool tied : {true, false})
    for (const std::int64_t state : {1, 13, 16, 17, 64, 66, 128, 130, 256})  // both sides of every shape of lanes
      for (const std::int64_t head_dim : {1, 31, 33, 64, 257}) taken += check_all(sizes(3, 4, head_dim, state, tied));
  taken += check_all(sizes(64, 80, 64, 128, true)) + check_all(sizes(64, 1, 5120, 16, false));  // layers of models
  EXPECT_GE(taken, 3 * 92) << "one kernel of three types";
}

TEST_F(UpdateOnDevice, EveryKernelTakesEachStateFromItsSlotAndNoneForPadding) {
  for (const bool tied : {true, false})
    for (const std::int64_t padding : {0, 3, 7}) {
      Params params = sizes(7, 2, 40, 64, tied);
      params["slots"] = std::int64_t{20}, params["padding"] = padding;
      check_all(params);
    }
}

TEST_F(UpdateOnDevice, EveryKernelKeepsWhatUnderflowsAndOverflowsApart) {
  const auto steep = [](Tensors& in) {
    fill(in, "dt", [](std::int64_t i) { return i % 2 == 0 ? -100.0 : 100.0; });
    fill(in, "dt_bias", [](std::int64_t) { return 0.0; });
    fill(in, "z", [](std::int64_t i) { return i % 2 == 0 ? -120.0 : 120.0; });
  };
  for (const Kernel* kernel : test::kernels_on_device("ssm_update"))
    for (const bool tied : {true, false}) expect_like_oracle(*kernel, sizes(3, 4, 64, 128, tied), steep);
}

TEST_F(UpdateOnDevice, AHundredRunsHaveTheSameBits) {
  const Op& op = support::find_op("ssm_update");
  for (const Kernel* kernel : test::kernels_on_device("ssm_update"))
    for (const bool tied : {true, false}) test::expect_the_same_bits(*kernel, *op.parse(params_with(op, sizes(8, 4, 64, 128, tied))));
}

TEST_F(UpdateOnDevice, ACacheOfMoreThanTwoToThe31StatesIsNoneTooLarge) {
  constexpr std::int64_t kSlots = 3300;  // of 80 x 64 x 128 states: 2^31 + 2 %
  if (device::free_memory().free_bytes < kSlots * 80 * 64 * 128 * 5) GTEST_SKIP() << "needs 11 GB on the device, and four times as much on the host";
  const Op& op = support::find_op("ssm_update");
  Params params = params_with(op, sizes(64, 80, 64, 128, true));
  params["slots"] = kSlots;
  const auto p = op.parse(params);
  const auto& indices = problem_as<UpdateProblem>(*p).state_batch_indices;
  ASSERT_GT(*std::ranges::max_element(indices), 3276) << "no entry's state lies beyond 2^31";
  for (const Kernel* kernel : test::kernels_on_device("ssm_update")) test::check(*kernel, *p, "2^31 states");
}

}  // namespace
}  // namespace bench::scan
