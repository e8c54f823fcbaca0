// SPDX-License-Identifier: Apache-2.0
// The backward pass of the recurrence op itself: its oracle on cases worked by hand, against differences of
// the forward oracle and by its laws, and its cost model.
#include "kernels/scan/recurrence_bwd.hpp"

#include <gtest/gtest.h>

#include "tests/kernels/scan/scan_cases.hpp"

namespace bench::scan {
namespace {

const Op& op() {
  return support::find_op("recurrence");
}

std::unique_ptr<Problem> problem_of(const std::string& pass, std::int64_t batch, std::int64_t seq,
                                    std::int64_t channels, const std::string& dtype = "fp64",
                                    std::int64_t ranks = 1) {
  return op().parse(params_with(op(), {{"pass", pass},
                                       {"batch", batch},
                                       {"seq", seq},
                                       {"channels", channels},
                                       {"dtype", dtype},
                                       {"ranks", ranks}}));
}

/// One channel, one batch entry.
Tensors oracle(const std::vector<double>& a, const std::vector<double>& h, const std::vector<double>& dh,
               double h0, double dh_last) {
  const auto length = static_cast<std::int64_t>(a.size());
  const auto problem = problem_of("bwd", 1, length, 1);
  Tensors in;
  for (const TensorSpec& spec : op().inputs(*problem)) in.add(spec.name, Tensor(DType::f64, spec.shape));
  fill(in, "a", [&](std::int64_t t) { return a[static_cast<std::size_t>(t)]; });
  fill(in, "h", [&](std::int64_t t) { return h[static_cast<std::size_t>(t)]; });
  fill(in, "dh", [&](std::int64_t t) { return dh[static_cast<std::size_t>(t)]; });
  in["h0"].set(0, h0);
  in["dh_last"].set(0, dh_last);
  return op().reference(*problem, in, row_range(0, length));
}

void expect_values(const Tensor& got, const std::vector<double>& want) {
  ASSERT_EQ(got.count(), static_cast<std::int64_t>(want.size()));
  for (std::size_t t = 0; t < want.size(); ++t)
    EXPECT_DOUBLE_EQ(got.at(static_cast<std::int64_t>(t)), want[t]) << "step " << t;
}

TEST(RecurrenceBwdReference, OfOnesCountsTheStepsStillToCome) {
  const Tensors out = oracle({1, 1, 1}, {5, 6, 7}, {1, 1, 1}, 4, 0);
  expect_values(out["db"], {3, 2, 1});
  expect_values(out["da"], {12, 10, 6});  // times h0, h_1, h_2
  expect_values(out["dh0"], {3});
}

TEST(RecurrenceBwdReference, WorkedByHand) {
  // r_3 = 2 + 10 = 12, r_2 = 1 + 0.5 * 12 = 7, r_1 = 3 - 1 * 7 = -4
  const Tensors out = oracle({2, -1, 0.5}, {3, 0, 4}, {3, 1, 2}, 1, 10);
  expect_values(out["db"], {-4, 7, 12});
  expect_values(out["da"], {-4, 21, 0});
  expect_values(out["dh0"], {-8});
}

TEST(RecurrenceBwdReference, ADecayOfZeroStopsTheGradient) {
  const Tensors out = oracle({1, 0, 1}, {1, 1, 1}, {1, 1, 1}, 1, 100);
  expect_values(out["db"], {1, 102, 101});
  expect_values(out["dh0"], {1});
}

// The loss sum(dh h) + dh_last h_last is linear in every single input, so its central differences are exact
// but for rounding, for any step.
TEST(RecurrenceBwdReference, IsTheDifferenceQuotientOfTheForwardOracle) {
  const auto forward = problem_of("fwd", 2, 7, 3), backward = problem_of("bwd", 2, 7, 3);
  const auto rows = row_range(0, 7);
  Tensors in = support::make_inputs(op(), *forward, 3);
  Tensors back_in = support::make_inputs(op(), *backward, 3);
  const Tensors forward_out = op().reference(*forward, in, rows);
  for (const char* name : {"a", "h0"}) fill(back_in, name, [&](std::int64_t i) { return in[name].at(i); });
  fill(back_in, "h", [&](std::int64_t i) { return forward_out["h"].at(i); });
  const Tensors gradients = op().reference(*backward, back_in, rows);
  const auto loss = [&] {
    const Tensors out = op().reference(*forward, in, rows);
    return dot(back_in["dh"], out["h"]) + dot(back_in["dh_last"], out["h_last"]);
  };
  for (const auto& [input, gradient] : {std::pair{"a", "da"}, {"b", "db"}, {"h0", "dh0"}})
    expect_gradient(in, input, gradients[gradient], loss, 0.125, 1e-12);
}

TEST(RecurrenceBwdReference, GivesOnlyTheRowsAskedFor) {
  const auto problem = problem_of("bwd", 1, 9, 3);
  const Tensors inputs = support::make_inputs(op(), *problem, 1);
  const std::vector<std::int64_t> some{0, 2, 7};
  const Tensors whole = op().reference(*problem, inputs, row_range(0, 9));
  const Tensors part = op().reference(*problem, inputs, some);
  for (const char* name : {"da", "db"}) {
    ASSERT_EQ(part[name].shape(), (Shape{1, 3, 3}));
    for (std::int64_t row = 0; row < 3; ++row)
      for (std::int64_t c = 0; c < 3; ++c)
        EXPECT_EQ(part[name].at(row * 3 + c), whole[name].at(some[static_cast<std::size_t>(row)] * 3 + c))
            << name;
  }
  for (std::int64_t c = 0; c < 3; ++c) EXPECT_EQ(part["dh0"].at(c), whole["dh0"].at(c));
}

TEST(RecurrenceBwdOp, CostsWhatItsTensorsWeigh) {
  for (const std::string& dtype : all_dtypes()) {
    const auto p = problem_of("bwd", 2, 5, 3, dtype);
    EXPECT_EQ(op().cost(*p).bytes, static_cast<double>(tensor_bytes(op(), *p))) << dtype;
    EXPECT_EQ(op().cost(*p).flops, 3.0 * 2 * 5 * 3);
    EXPECT_EQ(op().cost(*p).wire_bytes, 0.0) << "one rank sends nothing";
  }
  EXPECT_EQ(op().cost(*problem_of("bwd", 2, 5, 3, "bf16", 4)).wire_bytes, 2 * 3 * (4.0 + 2.0));
}

TEST(RecurrenceBwdOp, AForwardKernelDeclinesTheBackwardPassInWords) {
  const auto p = problem_of("bwd", 1, 8, 2);
  const std::string reason = supports_case(support::find_kernel("scan/recurrence_chunked_cpu"), *p);
  EXPECT_NE(reason.find("bwd"), std::string::npos) << reason;
}

}  // namespace
}  // namespace bench::scan
