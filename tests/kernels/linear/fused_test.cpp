// SPDX-License-Identifier: Apache-2.0
// The norm before a layer and the activation after it: the formulas on values worked by hand, and every kernel with
// every activation against the oracle.
#include "kernels/linear/fused.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/linear/dot.hpp"
#include "tests/kernels/linear/linear_cases.hpp"
#include "tests/support/torch_plugin.hpp"

namespace bench::linear {
namespace {

TEST(Fused, ActivationsWorkedByHand) {
  EXPECT_EQ(activate(Activation::relu, -2.0), 0.0);
  EXPECT_DOUBLE_EQ(activate(Activation::leakyrelu, -2.0), -0.02);
  EXPECT_EQ(activate(Activation::relu6, 9.0), 6.0);
  EXPECT_DOUBLE_EQ(activate(Activation::sigmoid, std::log(3.0)), 0.75);
  EXPECT_DOUBLE_EQ(activate(Activation::tanh, std::log(2.0)), 0.6);
  EXPECT_DOUBLE_EQ(activate(Activation::silu, std::log(3.0)), 0.75 * std::log(3.0));
  EXPECT_NEAR(activate(Activation::gelu, 1.0), 0.8413447460685429, 1e-15) << "x times the normal distribution's P(z < x)";
  EXPECT_DOUBLE_EQ(activate(Activation::hardswish, 1.0), 4.0 / 6.0);
}

// Mean 3, mean square deviation 2.
TEST(Fused, LayerNormHasMeanZeroAndVarianceOne) {
  std::vector<double> row{1, 2, 3, 4, 5};
  normalise(Norm::layer, row);
  for (int i = 0; i < 5; ++i) EXPECT_NEAR(row[static_cast<std::size_t>(i)], (i - 2) / std::sqrt(2.0 + 1e-5), 1e-15);
}

TEST(Fused, ReadsBackEveryNameAndNamesThemAllWhenItKnowsNone) {
  for (const std::string& name : activations()) EXPECT_EQ(to_text(parse_activation(name)), name);
  try {
    parse_activation("sigmod");
    ADD_FAILURE() << "sigmod was accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage);
    for (const std::string& name : activations()) EXPECT_NE(std::string(e.what()).find(name), std::string::npos) << e.what();
  }
  EXPECT_THROW(parse_norm("batch"), Error);
}

/// Weights of order 1 / sqrt(K), as layers have them, so that the sums lie where activations bend.
LinearCase fused_case(const std::string& dtype, const std::string& recipe, const std::string& norm,
                      const std::string& activation) {
  return LinearCase({5, 70, 100, 2}, dtype, recipe, [](Tensors& in) {
    for (const char* name : {"w", "bias"})
      for (std::int64_t i = 0; i < in[name].count(); ++i) in[name].set(i, in[name].at(i) * 0.1);
    for (std::int64_t i = 0; i < in["x"].count(); ++i) in["x"].set(i, in["x"].at(i) + 0.5);  // a mean to take off
  }, {{"norm", norm}, {"activation", activation}});
}

void check_all(Backend backend, const std::vector<std::string>& dtypes) {
  for (const std::string& dtype : dtypes)
    for (const char* recipe : {"none", "int8wo", "int4wo-32"})
      for (const char* norm : {"none", "layer"})
        for (const std::string& activation : activations()) {
          const LinearCase c = fused_case(dtype, recipe, norm, activation);
          for (const Kernel* kernel : linear_kernels())
            if (kernel->backend == backend) c.expect_like_oracle(*kernel);
        }
}

TEST(Fused, EveryCpuKernelEqualsTheOracle) {
  force_dot_engine(nullptr);
  check_all(Backend::cpu, {"fp32", "bf16"});
  for (const DotEngine& engine : dot_engines()) {
    force_dot_engine(&engine);
    check_all(Backend::cpu, {"fp32", "bf16", "fp16"});
  }
  allow_dot_engines();
}

TEST(Fused, EveryTorchKernelEqualsTheOracle) {
  const std::string missing = support::load_torch_plugin();
  if (!missing.empty()) GTEST_SKIP() << missing;
  check_all(Backend::torch, {"fp32", "bf16"});
}

// fp32 activations meet 2e-6 at slopes where a wrong polynomial would not: far below the op's own tolerance, which has
// to allow for bf16 and long sums.
TEST(Fused, ActivationsAreExactToAFewRoundings) {
  for (const std::string& activation : activations()) {
    const LinearCase c = fused_case("fp32", "none", "layer", activation);
    const Tensors outputs = support::run_kernel(support::find_kernel("linear/plain_cpu"), linear_op(), *c.problem, c.inputs,
                                                comm::make_thread_links(1));
    for (std::int64_t i = 0; i < outputs["y"].count(); ++i)
      EXPECT_NEAR(outputs["y"].at(i), c.expected["y"].at(i), 2e-6) << activation << " " << i;
  }
}

}  // namespace
}  // namespace bench::linear
