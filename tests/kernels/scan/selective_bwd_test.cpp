// SPDX-License-Identifier: Apache-2.0
// The backward pass of the selective op itself: its oracle on a step worked by hand and against differences
// of the forward oracle, and its cost model.
#include "kernels/scan/selective_bwd.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "tests/kernels/scan/scan_cases.hpp"

namespace bench::scan {
namespace {

const Op& op() {
  return support::find_op("selective");
}

std::unique_ptr<Problem> problem_of(const std::string& pass, const Params& more) {
  Params params = params_with(op(), more);
  params["pass"] = pass;
  return op().parse(params);
}

const Params kSmall{{"batch", std::int64_t{2}}, {"seq", std::int64_t{6}},    {"channels", std::int64_t{4}},
                    {"state", std::int64_t{3}}, {"groups", std::int64_t{2}}, {"dtype", std::string("fp64")}};

TEST(SelectiveBwdReference, OfOneStepIsTheChainRule) {
  const auto p = problem_of("bwd", {{"seq", std::int64_t{1}},
                                    {"channels", std::int64_t{1}},
                                    {"state", std::int64_t{1}},
                                    {"dtype", std::string("fp64")}});
  const std::map<std::string, double> values{{"u", 2.0},  {"delta", 0.3}, {"delta_bias", 0.2}, {"A", -1.5},
                                             {"B", 0.7},  {"C", -0.4},    {"D", 3.0},          {"z", 1.2},
                                             {"h0", 5.0}, {"dout", 0.9},  {"dh_last", 1.1}};
  Tensors in;
  for (const TensorSpec& spec : op().inputs(*p))
    in.add(spec.name, Tensor(DType::f64, spec.shape)).set(0, values.at(spec.name));
  const Tensors out = op().reference(*p, in, row_range(0, 1));
  const double d = std::log(1.0 + std::exp(0.5)), slope = 1.0 / (1.0 + std::exp(-0.5));
  const double decay = std::exp(-1.5 * d), h = decay * 5.0 + d * 0.7 * 2.0, y = -0.4 * h + 3.0 * 2.0;
  const double s = 1.0 / (1.0 + std::exp(-1.2)), gy = 0.9 * 1.2 * s, r = -0.4 * gy + 1.1;
  EXPECT_NEAR(out["du"].at(0), 3.0 * gy + r * d * 0.7, 1e-14);
  EXPECT_NEAR(out["ddelta"].at(0), r * (0.7 * 2.0 - 1.5 * decay * 5.0) * slope, 1e-14);
  EXPECT_NEAR(out["ddelta_bias"].at(0), out["ddelta"].at(0), 1e-15);
  EXPECT_NEAR(out["dA"].at(0), r * d * decay * 5.0, 1e-14);
  EXPECT_NEAR(out["dB"].at(0), r * d * 2.0, 1e-14);
  EXPECT_NEAR(out["dC"].at(0), gy * h, 1e-14);
  EXPECT_NEAR(out["dD"].at(0), gy * 2.0, 1e-14);
  EXPECT_NEAR(out["dz"].at(0), 0.9 * y * (s + 1.2 * s * (1.0 - s)), 1e-14);
  EXPECT_NEAR(out["dh0"].at(0), r * decay, 1e-14);
}

// Differences over +-1e-4 are off by some 1e-8 of the third derivatives, and by 1e-11 in rounding. A wrong
// term is off by a whole part of itself.
TEST(SelectiveBwdReference, IsTheDifferenceQuotientOfTheForwardOracle) {
  const auto forward = problem_of("fwd", kSmall), backward = problem_of("bwd", kSmall);
  Tensors in = support::make_inputs(op(), *backward, 3);
  // Steps on both sides of softplus' threshold of 20, and far enough from it for a difference.
  fill(in, "delta",
       [](std::int64_t i) { return i % 7 == 0 ? 24.0 : std::sin(static_cast<double>(i)) + 1.0; });
  const auto rows = row_range(0, 6);
  const Tensors gradients = op().reference(*backward, in, rows);
  const auto loss = [&] {
    const Tensors out = op().reference(*forward, in, rows);
    return dot(in["dout"], out["out"]) + dot(in["dh_last"], out["h_last"]);
  };
  for (const char* name : {"u", "delta", "A", "B", "C", "D", "z", "delta_bias", "h0"})
    expect_gradient(in, name, gradients[std::string("d") + name], loss, 1e-4, 2e-7);
}

TEST(SelectiveBwdReference, GivesOnlyTheRowsAskedFor) {
  expect_chosen_rows_like_whole(op(), *problem_of("bwd", kSmall), 6, {0, 2, 5});
}

TEST(SelectiveBwdOp, CostsWhatItsTensorsWeigh) {
  for (const std::string& dtype : all_dtypes()) {
    Params params = kSmall;
    params["dtype"] = dtype;
    const auto p = problem_of("bwd", params);
    EXPECT_EQ(op().cost(*p).bytes, static_cast<double>(tensor_bytes(op(), *p))) << dtype;
    EXPECT_EQ(op().cost(*p).flops, 20.0 * 2 * 6 * 4 * 3);
    EXPECT_EQ(op().cost(*p).exps, 2.0 * 6 * 4 * (3 + 5));
    EXPECT_EQ(op().cost(*p).wire_bytes, 0.0) << "one rank sends nothing";
  }
}

}  // namespace
}  // namespace bench::scan
