// SPDX-License-Identifier: Apache-2.0
// Pass bwd of the op: its tensors and cost, and the oracle by hand, by differences and on chosen rows.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <span>

#include "kernels/attention/attention.hpp"
#include "kernels/attention/reference.hpp"
#include "tests/support/run_case.hpp"

namespace bench::attention {
namespace {

AttentionProblem backward(std::int64_t length, std::int64_t head_dim, bool causal) {
  AttentionProblem p;
  p.heads = p.kv_heads = 1;
  p.seq = length;
  p.head_dim = head_dim;
  p.causal = causal;
  p.dtype = DType::f64;
  p.pass = "bwd";
  return p;
}

std::vector<std::int64_t> rows_below(std::int64_t length) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(length));
  std::iota(rows.begin(), rows.end(), std::int64_t{0});
  return rows;
}

std::vector<std::string> names_of(const std::vector<TensorSpec>& specs) {
  std::vector<std::string> names;
  for (const TensorSpec& spec : specs) names.push_back(spec.name);
  return names;
}

TEST(AttentionBackward, TakesTheOutputsGradientAndGivesThoseOfTheInputs) {
  const Op& op = support::find_op("attention");
  AttentionProblem p = backward(5, 16, true);
  p.batch = 2;
  p.heads = 6;
  p.kv_heads = 2;
  EXPECT_EQ(names_of(op.inputs(p)), (std::vector<std::string>{"q", "k", "v", "dout"}));
  EXPECT_EQ(names_of(op.outputs(p)), (std::vector<std::string>{"dq", "dk", "dv"}));
  EXPECT_EQ(op.inputs(p)[3].shape, (Shape{2, 6, 5, 16}));
  EXPECT_EQ(op.outputs(p)[0].shape, (Shape{2, 6, 5, 16}));
  EXPECT_EQ(op.outputs(p)[1].shape, (Shape{2, 2, 5, 16}));
  p.pass = "fwd";
  EXPECT_EQ(names_of(op.inputs(p)), (std::vector<std::string>{"q", "k", "v"}));
  EXPECT_EQ(names_of(op.outputs(p)), (std::vector<std::string>{"out", "lse"}));
}

TEST(AttentionBackward, CostsFiveProductsAndCarriesSumsBesideKeysAndValues) {
  const Op& op = support::find_op("attention");
  AttentionProblem p = backward(5, 16, true);
  p.batch = 2;
  p.heads = 6;
  p.kv_heads = 2;
  p.dtype = DType::bf16;
  AttentionProblem forward = p;
  forward.pass = "fwd";
  EXPECT_EQ(op.cost(p).flops, 2.5 * op.cost(forward).flops);
  EXPECT_EQ(op.cost(p).exps, op.cost(forward).exps);
  EXPECT_EQ(op.cost(p).bytes, 2.0 * (2 * 6 * 5 * 16 * 4) +      // q out dout dq
                                  2.0 * (2 * 2 * 5 * 16 * 4) +  // k v dk dv
                                  4.0 * (2 * 6 * 5));           // lse is fp32
  EXPECT_EQ(op.cost(p).wire_bytes, 0.0);
  p.ranks = 3;
  EXPECT_EQ(op.cost(p).wire_bytes,
            2.0 * 2 * 2 * 2 * 2 * 16 * (2 + 4));  // 2 hops, K and V, B 2, share 2, Hkv 2, D 16, bf16 + fp32
}

Tensor matrix(std::initializer_list<double> values) {
  Tensor t(DType::f64, {1, 1, 2, 2});
  std::int64_t i = 0;
  for (const double x : values) t.set(i++, x);
  return t;
}

void expect_values(const Tensor& t, std::initializer_list<double> want) {
  std::int64_t i = 0;
  for (const double w : want) {
    EXPECT_NEAR(t.at(i), w, 1e-14) << "element " << i;
    ++i;
  }
}

// q_0 . k_j / sqrt(2) is 0 and ln 3: weights (1/4, 3/4). dout_0 = (1, 0) makes dP = (4, 8), whose mean is 7,
// and so dS = (-3/4, 3/4). dout_1 = 0 adds nothing.
TEST(AttentionBackwardReference, TwoByTwoByHand) {
  Tensors t;
  t.add("q", matrix({std::sqrt(2.0), 0.0, 0.0, 0.0}));
  t.add("k", matrix({0.0, 5.0, std::log(3.0), -7.0}));
  t.add("v", matrix({4.0, 10.0, 8.0, 20.0}));
  t.add("dout", matrix({1.0, 0.0, 0.0, 0.0}));
  const Tensors r = reference(backward(2, 2, false), t, rows_below(2));
  expect_values(r["dq"], {0.75 * std::log(3.0) / std::sqrt(2.0), -9.0 / std::sqrt(2.0), 0.0, 0.0});
  expect_values(r["dk"], {-0.75, 0.0, 0.75, 0.0});
  expect_values(r["dv"], {0.25, 0.0, 0.75, 0.0});
  const Tensors causal = reference(backward(2, 2, true), t, rows_below(2));  // row 0 sees itself only
  expect_values(causal["dq"], {0.0, 0.0, 0.0, 0.0});
  expect_values(causal["dk"], {0.0, 0.0, 0.0, 0.0});
  expect_values(causal["dv"], {1.0, 0.0, 0.0, 0.0});
}

double loss(const AttentionProblem& p, const Tensors& inputs) {
  AttentionProblem forward = p;
  forward.pass = "fwd";
  const Tensors r = reference(forward, inputs, rows_below(p.seq));
  double sum = 0.0;
  for (std::int64_t i = 0; i < r["out"].count(); ++i) sum += r["out"].at(i) * inputs["dout"].at(i);
  return sum;
}

// The derivative without the chain rule: (loss(x + h) - loss(x - h)) / 2h for every element of every input.
TEST(AttentionBackwardReference, EqualsDifferencesOfTheForwardReference) {
  const Op& op = support::find_op("attention");
  for (const bool causal : {false, true}) {
    AttentionProblem p = backward(5, 3, causal);
    p.batch = 2;
    p.heads = 4;
    p.kv_heads = 2;  // two query heads add up in each dk and dv
    Tensors inputs = support::make_inputs(op, p, 7);
    const Tensors got = reference(p, inputs, rows_below(p.seq));
    for (const char* name : {"q", "k", "v"}) {
      constexpr double kStep = 1e-5;  // error h^2 from the third derivative, 1e-16 / h from rounding
      for (std::int64_t i = 0; i < inputs[name].count(); ++i) {
        const double x = inputs[name].at(i);
        inputs[name].set(i, x + kStep);
        const double above = loss(p, inputs);
        inputs[name].set(i, x - kStep);
        const double below = loss(p, inputs);
        inputs[name].set(i, x);
        EXPECT_NEAR(got[concat("d", name)].at(i), (above - below) / (2 * kStep), 1e-8) << name << " " << i;
      }
    }
  }
}

TEST(AttentionBackwardReference, ChosenRowsEqualThoseOfTheWhole) {
  const Op& op = support::find_op("attention");
  for (const bool causal : {false, true}) {
    AttentionProblem p = backward(9, 3, causal);
    p.heads = 4;
    p.kv_heads = 2;
    const Tensors inputs = support::make_inputs(op, p, 5);
    const std::vector<std::int64_t> some{0, 2, 8};
    const Tensors whole = op.reference(p, inputs, rows_below(9)), part = op.reference(p, inputs, some);
    for (const char* name : {"dq", "dk", "dv"}) {
      const Tensor want = support::take(whole[name], 2, some);
      ASSERT_EQ(part[name].shape(), want.shape());
      for (std::int64_t i = 0; i < want.count(); ++i) EXPECT_EQ(part[name].at(i), want.at(i));
    }
  }
}

}  // namespace
}  // namespace bench::attention
