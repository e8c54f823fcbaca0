// SPDX-License-Identifier: Apache-2.0
// The backward pass of the ssd op itself: its oracle on a step worked by hand and against differences of the
// forward oracle, and its cost model.
#include "kernels/scan/ssd_bwd.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "tests/kernels/scan/scan_cases.hpp"

namespace bench::scan {
namespace {

const Op& op() {
  return support::find_op("ssd");
}

std::unique_ptr<Problem> problem_of(const std::string& pass, const Params& more) {
  Params params = params_with(op(), more);
  params["pass"] = pass;
  return op().parse(params);
}

const Params kSmall{{"batch", std::int64_t{2}},    {"seq", std::int64_t{6}},   {"heads", std::int64_t{4}},
                    {"head_dim", std::int64_t{3}}, {"state", std::int64_t{2}}, {"groups", std::int64_t{2}},
                    {"dtype", std::string("fp64")}};

TEST(SsdBwdReference, OfOneStepIsTheChainRule) {
  const auto p = problem_of("bwd", {{"seq", std::int64_t{1}},
                                    {"heads", std::int64_t{1}},
                                    {"head_dim", std::int64_t{1}},
                                    {"state", std::int64_t{1}},
                                    {"dtype", std::string("fp64")}});
  const std::map<std::string, double> values{{"x", 2.0},    {"dt", 0.3},     {"dt_bias", 0.2}, {"A", -1.5},
                                             {"B", 0.7},    {"C", -0.4},     {"D", 3.0},       {"h0", 5.0},
                                             {"dout", 0.9}, {"dh_last", 1.1}};
  Tensors in;
  for (const TensorSpec& spec : op().inputs(*p))
    in.add(spec.name, Tensor(DType::f64, spec.shape)).set(0, values.at(spec.name));
  const Tensors out = op().reference(*p, in, row_range(0, 1));
  const double d = std::log(1.0 + std::exp(0.5)), slope = 1.0 / (1.0 + std::exp(-0.5));
  const double decay = std::exp(-1.5 * d), h = decay * 5.0 + d * 0.7 * 2.0, r = -0.4 * 0.9 + 1.1;
  EXPECT_NEAR(out["dx"].at(0), 3.0 * 0.9 + r * d * 0.7, 1e-14);
  EXPECT_NEAR(out["ddt"].at(0), r * (0.7 * 2.0 - 1.5 * decay * 5.0) * slope, 1e-14);
  EXPECT_NEAR(out["ddt_bias"].at(0), out["ddt"].at(0), 1e-15);
  EXPECT_NEAR(out["dA"].at(0), r * d * decay * 5.0, 1e-14);
  EXPECT_NEAR(out["dB"].at(0), r * d * 2.0, 1e-14);
  EXPECT_NEAR(out["dC"].at(0), 0.9 * h, 1e-14);
  EXPECT_NEAR(out["dD"].at(0), 0.9 * 2.0, 1e-14);
  EXPECT_NEAR(out["dh0"].at(0), r * decay, 1e-14);
}

// Differences over +-1e-5 are off by some 1e-10 of the third derivatives, and by 1e-9 in rounding. A wrong
// term is off by a whole part of itself.
void expect_difference_quotients(const Params& variant) {
  Params params = kSmall;
  for (const auto& [name, value] : variant) params[name] = value;
  const auto forward = problem_of("fwd", params), backward = problem_of("bwd", params);
  Tensors in = support::make_inputs(op(), *backward, 3);
  // Steps on both sides of softplus' threshold of 20, far enough from it for a difference. Decays that leave
  // something of the states: third derivatives go with the cube of A.
  fill(in, "dt", [](std::int64_t i) { return i % 7 == 0 ? 24.0 : std::sin(static_cast<double>(i)) + 1.0; });
  fill(in, "A", [](std::int64_t h) { return -0.1 * static_cast<double>(1 + h); });
  const auto rows = row_range(0, 6);
  const Tensors gradients = op().reference(*backward, in, rows);
  const auto loss = [&] {
    const Tensors out = op().reference(*forward, in, rows);
    return dot(in["dout"], out["out"]) + dot(in["dh_last"], out["h_last"]);
  };
  for (const TensorSpec& spec : op().inputs(*forward))
    expect_gradient(in, spec.name, gradients["d" + spec.name], loss, 1e-5, 2e-7);
}

TEST(SsdBwdReference, IsTheDifferenceQuotientOfTheForwardOracle) {
  expect_difference_quotients({});
}
TEST(SsdBwdReference, IsThatOfAGatedOneToo) {
  expect_difference_quotients({{"gated", true}});
}
TEST(SsdBwdReference, IsZeroForAStepThatALimitHolds) {  // softplus is some 0.001 to 0.1 here, or 17 to 22
  expect_difference_quotients({{"dt_limit", std::string("0.02:19")}});
}

TEST(SsdBwdReference, GivesOnlyTheRowsAskedFor) {
  expect_chosen_rows_like_whole(op(), *problem_of("bwd", kSmall), 6, {0, 2, 5});
}

TEST(SsdBwdOp, CostsWhatItsTensorsWeigh) {
  for (const std::string& dtype : all_dtypes()) {
    Params params = kSmall;
    params["dtype"] = dtype;
    const auto p = problem_of("bwd", params);
    EXPECT_EQ(op().cost(*p).bytes, static_cast<double>(tensor_bytes(op(), *p))) << dtype;
    EXPECT_EQ(op().cost(*p).flops, 10.0 * 2 * 6 * 4 * 3 * 2);
    EXPECT_EQ(op().cost(*p).exps, 4.0 * 2 * 6 * 4);
    EXPECT_EQ(op().cost(*p).wire_bytes, 0.0) << "one rank sends nothing";
    params["gated"] = true;
    const auto gated = problem_of("bwd", params);
    EXPECT_EQ(op().cost(*gated).bytes, static_cast<double>(tensor_bytes(op(), *gated))) << dtype;
    EXPECT_EQ(op().cost(*gated).flops, 12.0 * 2 * 6 * 4 * 3 * 2);
    EXPECT_EQ(op().cost(*gated).exps, (4.0 + 2 * 3) * 2 * 6 * 4);
  }
}

}  // namespace
}  // namespace bench::scan
