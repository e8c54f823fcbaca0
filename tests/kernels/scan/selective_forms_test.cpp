// SPDX-License-Identifier: Apache-2.0
// The selective scan with constant B and C and with complex states: the oracle by hand, by its laws and by differences, its cost, and who declines what in words.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>

#include "kernels/scan/selective.hpp"
#include "tests/kernels/scan/scan_cases.hpp"

namespace bench::scan {
namespace {

using Complex = std::complex<double>;

const Op& op() { return support::find_op("selective"); }

Params small(const std::string& pass, std::int64_t seq = 6, std::int64_t channels = 4, std::int64_t state = 3, std::int64_t groups = 2, std::int64_t batch = 2) {
  return {{"pass", pass}, {"batch", batch}, {"seq", seq}, {"channels", channels}, {"state", state}, {"groups", groups}, {"dtype", std::string("fp64")}};
}
Params with(Params params, const char* name, bool value = true) {
  params[name] = value;
  return params;
}
std::unique_ptr<Problem> parsed(const Params& params) { return op().parse(params_with(op(), params)); }

void set(Tensors& in, const char* name, Complex x) {
  in[name].set(0, x.real());
  in[name].set(1, x.imag());
}

// One channel, one state, two steps, with nothing of the project's own complex arithmetic.
TEST(ComplexSelective, OfTwoStepsIsTheFormula) {
  const auto p = parsed(with(small("fwd", 2, 1, 1, 1, 1), "complex"));
  Tensors in = support::make_inputs(op(), *p, 1);
  const Complex a{-0.7, 1.9}, h0{0.4, -1.1}, b[] = {{0.5, 0.3}, {-0.2, 0.8}}, c[] = {{1.1, -0.6}, {0.9, 0.7}};
  const double u[] = {1.3, -0.8}, delta[] = {0.2, 0.9}, z[] = {0.5, -1.5};
  set(in, "A", a);
  set(in, "h0", h0);
  in["D"].set(0, 0.6), in["delta_bias"].set(0, 0.1);
  for (std::int64_t t = 0; t < 2; ++t) {
    in["u"].set(t, u[t]), in["delta"].set(t, delta[t]), in["z"].set(t, z[t]);
    for (const auto& [name, x] : {std::pair{"B", b[t]}, {"C", c[t]}}) in[name].set(2 * t, x.real()), in[name].set(2 * t + 1, x.imag());
  }
  ASSERT_EQ(in["B"].shape(), (Shape{1, 2, 1, 1, 2}));
  const Tensors out = op().reference(*p, in, row_range(0, 2));
  Complex h = h0;
  for (std::int64_t t = 0; t < 2; ++t) {
    const double d = std::log1p(std::exp(delta[t] + 0.1));
    h = std::exp(d * a) * h + d * u[t] * b[t];
    EXPECT_NEAR(out["out"].at(t), (2.0 * (c[t] * h).real() + 0.6 * u[t]) * z[t] / (1.0 + std::exp(-z[t])), 1e-14) << "step " << t;
  }
  EXPECT_NEAR(out["h_last"].at(0), h.real(), 1e-15);
  EXPECT_NEAR(out["h_last"].at(1), h.imag(), 1e-15);
}

// Without imaginary parts the conjugate is the same state again: twice what real ones give.
TEST(ComplexSelective, OfRealNumbersIsTwiceTheRealOne) {
  const auto real = parsed(small("fwd")), complex = parsed(with(small("fwd"), "complex"));
  Tensors in = support::make_inputs(op(), *real, 2), pairs = support::make_inputs(op(), *complex, 2);
  for (const char* name : {"A", "B", "C", "h0"}) fill(pairs, name, [&](std::int64_t i) { return i % 2 == 0 ? in[name].at(i / 2) : 0.0; });
  for (Tensors* both : {&in, &pairs}) fill(*both, "D", [](std::int64_t) { return 0.0; });
  const Tensors want = op().reference(*real, in, row_range(0, 6)), got = op().reference(*complex, pairs, row_range(0, 6));
  for (std::int64_t i = 0; i < want["out"].count(); ++i) EXPECT_NEAR(got["out"].at(i), 2.0 * want["out"].at(i), 1e-14);
}

// A constant row is the same one at every step, of a group for each channel.
TEST(ConstantMixers, AreThoseOfEveryStep) {
  for (const bool complex : {false, true}) {
    const Params steps = with(small("fwd", 6, 4, 3, 4), "complex", complex);
    Params rows = with(with(steps, "constant_b"), "constant_c");
    rows["groups"] = std::int64_t{1};
    const auto of_steps = parsed(steps), of_rows = parsed(rows);
    const std::int64_t row = 4 * 3 * (complex ? 2 : 1);
    Tensors in = support::make_inputs(op(), *of_rows, 2), repeated = support::make_inputs(op(), *of_steps, 2);
    ASSERT_EQ(in["B"].count(), row);
    for (const char* name : {"B", "C"}) fill(repeated, name, [&](std::int64_t i) { return in[name].at(i % row); });
    const Tensors want = op().reference(*of_steps, repeated, row_range(0, 6)), got = op().reference(*of_rows, in, row_range(0, 6));
    for (const char* name : {"out", "h_last"})
      for (std::int64_t i = 0; i < want[name].count(); ++i) EXPECT_EQ(got[name].at(i), want[name].at(i)) << name;
  }
}

TEST(ConstantMixers, AreOfTheStatesTypeWhateverTheProblems) {
  Params params = with(with(small("bwd"), "constant_b"), "complex");
  params["dtype"] = std::string("bf16");
  const auto p = parsed(params);
  const auto of = [](const std::vector<TensorSpec>& specs, const char* name) { return *std::ranges::find(specs, name, &TensorSpec::name); };
  EXPECT_EQ(of(op().inputs(*p), "B").dtype, DType::f32);
  EXPECT_EQ(of(op().inputs(*p), "B").shape, (Shape{4, 3, 2}));
  EXPECT_EQ(of(op().inputs(*p), "C").dtype, DType::bf16);
  EXPECT_EQ(of(op().outputs(*p), "dC").shape, (Shape{2, 6, 2, 3, 2}));
  EXPECT_EQ(of(op().outputs(*p), "dB").sequence_axis, -1);
}

TEST(ConstantMixers, ShareNothingBetweenGroups) {
  Params params = with(with(small("fwd"), "constant_b"), "constant_c");
  try {
    parsed(params);
    ADD_FAILURE() << "2 groups were accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(e.what()).find("groups = 2"), std::string::npos) << e.what();
  }
}

// Differences over +-1e-4 are off by some 1e-8 of the third derivatives, and by 1e-11 in rounding. A wrong term, or a conjugate too few, is off by a whole part.
TEST(SelectiveForms, HaveGradientsThatAreDifferencesByEveryPart) {
  for (const std::int64_t segments : {1, 3})
    for (const Params& form : in_selective_forms(small("fwd"))) {
      SCOPED_TRACE(text_of(form));
      Params forward = form, back = form;
      forward["segments"] = back["segments"] = segments;
      back["pass"] = std::string("bwd");
      const auto forward_problem = parsed(forward), backward_problem = parsed(back);
      Tensors in = support::make_inputs(op(), *backward_problem, 3);
      const auto rows = row_range(0, 6);
      const Tensors gradients = op().reference(*backward_problem, in, rows);
      const auto loss = [&] {
        const Tensors out = op().reference(*forward_problem, in, rows);
        return dot(in["dout"], out["out"]) + dot(in["dh_last"], out["h_last"]);
      };
      for (const char* name : {"u", "delta", "A", "B", "C", "D", "z", "delta_bias", "h0"}) expect_gradient(in, name, gradients[std::string("d") + name], loss, 1e-4, 2e-7);
    }
}

TEST(SelectiveForms, GiveOnlyTheRowsAskedFor) {
  for (const char* pass : {"fwd", "bwd"})
    for (const Params& form : in_selective_forms(small(pass))) expect_chosen_rows_like_whole(op(), *parsed(form), 6, {0, 2, 5});
}

TEST(SelectiveForms, CostWhatTheirTensorsWeigh) {
  for (const char* pass : {"fwd", "bwd"})
    for (const std::string& dtype : all_dtypes())
      for (Params form : in_selective_forms(small(pass))) {
        form["dtype"] = dtype;
        const auto p = parsed(form);
        EXPECT_EQ(op().cost(*p).bytes, static_cast<double>(tensor_bytes(op(), *p))) << text_of(form);
        if (!std::get<bool>(form.at("complex"))) continue;
        const bool forward = std::string(pass) == "fwd";
        EXPECT_EQ(op().cost(*p).flops, (forward ? 16.0 : 52.0) * 2 * 6 * 4 * 3);
        EXPECT_EQ(op().cost(*p).exps, 2.0 * 6 * 4 * (3 * 3 + (forward ? 4 : 5)));
      }
}

/// Constant rows have gradients that are sums over all steps, which ranks have to bring together.
TEST(SelectiveForms, SendOneRowMoreForEachConstant) {
  Params two = small("bwd", 6, 4, 3, 1);
  two["ranks"] = std::int64_t{2};
  const double plain = op().cost(*parsed(two)).wire_bytes;
  EXPECT_EQ(op().cost(*parsed(with(two, "constant_b"))).wire_bytes - plain, 8.0 * 4 * 3);
  EXPECT_EQ(op().cost(*parsed(with(with(two, "constant_b"), "constant_c"))).wire_bytes - plain, 2 * 8.0 * 4 * 3);
}

TEST(SelectiveForms, AreTakenByTheBaselinesAndDeclinedInWordsByWhoHasThemNot) {
  int taken = 0, declined = 0;
  for (const Kernel* kernel : Registry<Kernel>::instance().all()) {
    if (kernel->op != "selective") continue;
    for (const std::string& pass : kernel->passes)
      for (Params form : in_selective_forms(small(pass))) {
        form["dtype"] = std::string("fp32");
        const std::string reason = supports_case(*kernel, *parsed(form));
        const bool words = reason.find("constant_b = true") != std::string::npos || reason.find("constant_c = true") != std::string::npos || reason.find("complex = true") != std::string::npos;
        EXPECT_TRUE(reason.empty() || words) << kernel->name << ": " << reason;
        const bool baseline = kernel->name.find("sequential") != std::string::npos;
        EXPECT_TRUE(reason.empty() || !baseline) << kernel->name;
        ++(reason.empty() ? taken : declined);
      }
  }
  EXPECT_GE(taken, 2 * 7) << "a baseline each way";
  EXPECT_GE(declined, 8 * 7) << "the vector kernels, and those across ranks";
}

}  // namespace
}  // namespace bench::scan
