// SPDX-License-Identifier: Apache-2.0
// What tests of LibTorch's rivals on a device share: the plug-in, problems by parameter, and what happens without a device.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "tests/device/kernels_on_device.hpp"
#include "tests/support/torch_plugin.hpp"

namespace bench::test {

class TorchOnDevice : public device::test::WithDevice {
 protected:
  void SetUp() override {
    WithDevice::SetUp();
    if (IsSkipped()) return;
    if (const std::string missing = support::load_torch_plugin(); !missing.empty()) GTEST_SKIP() << missing;
  }
};

/// How many of the op's device kernels of LibTorch took the problem; each has been held against the oracle.
inline int check_torch(const std::string& op_name, const Params& changes, const std::string& what) {
  const Op& op = support::find_op(op_name);
  Params params = default_params(op);
  for (const auto& [name, value] : changes) params[name] = value;
  const auto problem = op.parse(params);
  int taken = 0;
  for (const Kernel* kernel : kernels_on_device(op_name))
    if (kernel->name.ends_with("_cuda_torch")) taken += check(*kernel, *problem, what);
  return taken;
}

/// Where there is no device, each of them is known by name and says why it cannot run.
inline int expect_unavailable(const std::string& op_name) {
  int asked = 0;
  for (const Kernel* kernel : kernels_on_device(op_name)) {
    if (!kernel->name.ends_with("_cuda_torch")) continue;
    const Op& op = support::find_op(op_name);
    Params params = default_params(op);
    params["pass"] = kernel->passes.front();
    params["dtype"] = std::string(to_text(kernel->dtypes.back()));
    for (const auto& [name, value] : kernel->example) params[name] = value;
    for (const char* extent : {"seq", "out_features"})
      if (params.contains(extent)) params[extent] = std::int64_t{8};
    const auto p = op.parse(params);
    EXPECT_EQ(supports_case(*kernel, *p), "") << kernel->name;
    try {
      run_alone(*kernel, *p, support::make_inputs(op, *p, 1));
      ADD_FAILURE() << kernel->name << " ran without a device";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unavailable) << kernel->name << ": " << error.what();
      EXPECT_NE(std::string(error.what()).find("LibTorch"), std::string::npos) << error.what();
    }
    ++asked;
  }
  return asked;
}

}  // namespace bench::test
