// SPDX-License-Identifier: Apache-2.0
// Properties of every registered backward kernel that hold to the bit or without an oracle.
#include <gtest/gtest.h>

#include "tests/kernels/attention/bwd_cases.hpp"

namespace bench::attention::backward {
namespace {

/// Distributed kernels run on 3 ranks: ragged shares of 4 heads and of rows.
class AttentionBackwardProperty : public ::testing::TestWithParam<const Kernel*> {
 protected:
  const Kernel& kernel = *GetParam();
  const Op& op = support::find_op("attention");
  AttentionProblem p = problem_of({&kernel,
                                   {1, 4, 2, 211, 32},
                                   DType::f32,
                                   true,
                                   Values::normal,
                                   Layout::zigzag,
                                   kernel.collective ? 3 : 1});
  Tensors inputs = support::make_inputs(op, p, 3);
  Tensors run() const {
    return support::run_kernel(kernel, op, p, inputs, comm::make_thread_links(static_cast<int>(p.ranks)));
  }
};

TEST_P(AttentionBackwardProperty, WeightsSumToOneSoGradientsOfValuesAddUpToThoseOfTheOutputs) {
  const Tensors outputs = run();
  const auto column_sum = [&](const Tensor& t, std::int64_t head, std::int64_t d) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < p.seq; ++i) sum += t.at((head * p.seq + i) * p.head_dim + d);
    return sum;
  };
  for (std::int64_t kv = 0; kv < p.kv_heads; ++kv)
    for (std::int64_t d = 0; d < p.head_dim; ++d) {
      const double group = column_sum(inputs["dout"], 2 * kv, d) + column_sum(inputs["dout"], 2 * kv + 1, d);
      ASSERT_NEAR(column_sum(outputs["dv"], kv, d), group, 1e-3) << "of sums of 422 numbers, in fp32";
    }
}

TEST_P(AttentionBackwardProperty, CausalKeysGetNothingFromRowsBeforeThem) {
  constexpr std::int64_t kCut = 70;  // inside a strip, a panel and a query block
  for (std::int64_t h = 0; h < p.heads; ++h)
    for (std::int64_t i = kCut * p.head_dim; i < p.seq * p.head_dim; ++i)
      inputs["dout"].set(h * p.seq * p.head_dim + i, 0.0);
  const Tensors outputs = run();
  for (const char* name : {"dk", "dv"})
    for (std::int64_t i = kCut * p.head_dim; i < p.seq * p.head_dim; ++i)
      ASSERT_EQ(outputs[name].at(i), 0.0) << name << " row " << i / p.head_dim;
  for (std::int64_t i = 0; i < kCut; ++i) ASSERT_NE(outputs["dv"].at(i * p.head_dim), 0.0) << "row " << i;
}

TEST_P(AttentionBackwardProperty, ThreadsDoNotChangeTheBits) {
  const Tensors one = run();
  p.threads = 3;  // more than the two key/value heads: the way in two passes
  expect_same_bits(one, run());
}

TEST_P(AttentionBackwardProperty, IsLinearInTheOutputsGradient) {
  const Tensors once = run();
  for (std::int64_t i = 0; i < inputs["dout"].count(); ++i)
    inputs["dout"].set(i, 4.0 * inputs["dout"].at(i));  // a power of two changes no rounding
  const Tensors fourfold = run();
  for (const char* name : {"dq", "dk", "dv"})
    for (std::int64_t i = 0; i < once[name].count(); ++i)
      ASSERT_EQ(fourfold[name].at(i), 4.0 * once[name].at(i)) << name << " element " << i;
}

INSTANTIATE_TEST_SUITE_P(Kernels, AttentionBackwardProperty, ::testing::ValuesIn(backward_kernels()),
                         [](const auto& which) { return short_name(which.param); });

}  // namespace
}  // namespace bench::attention::backward
