// SPDX-License-Identifier: Apache-2.0
// LibTorch's linear layers on a device, against the fp64 oracle, and without one.
#include "tests/device/torch_on_device.hpp"

namespace bench::linear {
namespace {

using LinearTorchOnDevice = test::TorchOnDevice;
using Integer = std::int64_t;

/// How many kernels took it.
int check(const std::string& recipe, const std::string& dtype, Integer m, Integer n, Integer k, const std::string& norm, const std::string& activation) {
  return test::check_torch("linear",
                           {{"recipe", recipe}, {"dtype", dtype}, {"tokens", m}, {"out_features", n}, {"in_features", k}, {"norm", norm},
                            {"activation", activation}},
                           concat(recipe, ' ', m, " x ", n, " x ", k, ' ', norm, ' ', activation));
}

// One row, a tile of 16 rows and one more; N whole tiles of 8 and not; K that packs 8, 4 and 2 tiles of 16 together.
TEST_F(LinearTorchOnDevice, EveryRecipeEqualsTheOracle) {
  std::map<std::string, int> taken;
  for (const char* recipe : {"none", "int8wo", "int4wo-32", "int4wo-64", "int4wo-128", "int4wo-256", "int4wo-128-hqq"})
    for (const char* dtype : {"fp32", "bf16", "fp16"})
      for (const Integer m : {1, 16, 17, 200})
        for (const Integer n : {8, 77, 264})
          for (const Integer k : {32, 64, 320, 1024}) taken[recipe] += check(recipe, dtype, m, n, k, "none", "none");
  EXPECT_EQ(taken["none"], 3 * 4 * 3 * 4) << "in full width";
  EXPECT_EQ(taken["int8wo"], 2 * 3 * 4 * 3 * 4) << "dequantised and packed";
  EXPECT_EQ(taken["int4wo-32"], 3 * 4 * 3 * 4 + 4 * 2 * 4) << "dequantised, and packed in bf16 where N is a multiple of 8";
  EXPECT_EQ(taken["int4wo-256"], 3 * 4 * 3 * 4 + 4 * 2 * 1) << "one K holds whole groups of 256";
}

TEST_F(LinearTorchOnDevice, NormsAndActivationsEqualTheOracle) {
  for (const char* activation : {"relu", "leakyrelu", "relu6", "sigmoid", "tanh", "silu", "gelu", "hardswish"})
    for (const char* recipe : {"none", "int8wo", "int4wo-64"}) EXPECT_GE(check(recipe, "bf16", 9, 64, 320, "layer", activation), 1);
}

/// Needs no device: that is what it is about.
TEST(LinearTorchWithoutDevice, IsKnownByNameAndUnavailableWithAReason) {
  if (const std::string missing = support::load_torch_plugin(); !missing.empty()) GTEST_SKIP() << missing;
  if (device::probe().count > 0) GTEST_SKIP() << "there is a device";
  EXPECT_EQ(test::expect_unavailable("linear"), 3);
}

}  // namespace
}  // namespace bench::linear
