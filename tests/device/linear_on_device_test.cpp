// SPDX-License-Identifier: Apache-2.0
// Every linear kernel of the cuda backend on a device, against the fp64 oracle.
#include "kernels/linear/linear.hpp"

#include "tests/device/kernels_on_device.hpp"

namespace bench::linear {
namespace {

using LinearOnDevice = device::test::WithDevice;

LinearProblem problem(std::int64_t m, std::int64_t n, std::int64_t k, DType dtype, const char* recipe) {
  LinearProblem p;
  p.m = m;
  p.n = n;
  p.k = k;
  p.dtype = dtype;
  p.recipe = parse_recipe(recipe);
  return p;
}

constexpr const char* kRecipes[] = {"none", "int8wo", "int4wo-32", "int4wo-64-hqq", "int4wo-128", "int4wo-256-hqq"};

TEST_F(LinearOnDevice, EveryKernelEqualsTheOracle) {
  int taken = 0;
  for (const Kernel* kernel : test::kernels_on_device("linear"))
    for (const DType dtype : kernel->dtypes)
      for (const char* recipe : kRecipes)
        for (const std::int64_t m : {1, 2, 3, 8, 17, 129})           // each shape of int4_cuda's blocks, tiles of 128 rows and one more
          for (const std::int64_t n : {8, 120, 264})                 // tiles of 16, 64 and 128 outputs and pieces
            for (const std::int64_t k : {8, 200, 1024, 4104}) {      // one step to splits of K
              LinearProblem p = problem(m, n, k, dtype, recipe);
              p.norm = m % 2 == 0 ? Norm::layer : Norm::none;
              p.activation = m == 3 ? Activation::gelu : Activation::none;
              taken += test::check(*kernel, p, concat(recipe, " M ", m, " N ", n, " K ", k));
            }
  EXPECT_GE(taken, (2 * 3 * 6 + 3 * 5 + 2 * 5) * 72 / 2) << "plain and cuBLAS in three types and six recipes, two kernels in three types, two in two, which share five recipes";
}

TEST_F(LinearOnDevice, TakesInputsAndOutputsThatAreMultiplesOfNothing) {
  for (const Kernel* kernel : test::kernels_on_device("linear"))
    for (const DType dtype : kernel->dtypes)
      for (const char* recipe : kRecipes)
        for (const std::int64_t m : {1, 5, 40}) test::check(*kernel, problem(m, 77, 333, dtype, recipe), concat(recipe, " M ", m));
}

TEST_F(LinearOnDevice, EveryActivationBehindTheNorm) {
  for (const Kernel* kernel : test::kernels_on_device("linear"))
    for (const DType dtype : kernel->dtypes)
      for (const char* recipe : {"none", "int8wo", "int4wo-64"})
        for (int a = 0; a <= static_cast<int>(Activation::hardswish); ++a) {
          LinearProblem p = problem(9, 136, 512, dtype, recipe);
          p.norm = Norm::layer;
          p.activation = static_cast<Activation>(a);
          test::check(*kernel, p, concat(recipe, ' ', to_text(p.activation)));
        }
}

TEST_F(LinearOnDevice, AHundredRunsHaveTheSameBits) {
  for (const Kernel* kernel : test::kernels_on_device("linear"))
    for (const char* recipe : {"none", "int8wo", "int4wo-128"})
      for (const std::int64_t m : {1, 8, 200}) test::expect_the_same_bits(*kernel, problem(m, 256, 4096, kernel->dtypes.back(), recipe));
}

// 2^31 weights and some: indices into w, its packets and its scales pass 32 bits. The harness fills and checks them, so one row.
TEST_F(LinearOnDevice, MoreWeightsThanAnIntCounts) {
  int taken = 0;
  for (const char* name : {"linear/int4_cuda", "linear/int8_cuda"}) {
    const char* recipe = std::string(name) == "linear/int8_cuda" ? "int8wo" : "int4wo-128";
    LinearProblem p = problem(1, (1 << 15) + 16, 1 << 16, DType::bf16, recipe);
    p.threads = 8;
    taken += test::check(support::find_kernel(name), p, "2^31 weights");
  }
  EXPECT_EQ(taken, 2);
}

}  // namespace
}  // namespace bench::linear
