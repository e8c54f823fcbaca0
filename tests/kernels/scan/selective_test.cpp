// SPDX-License-Identifier: Apache-2.0
// The selective op itself: its oracle on cases worked by hand and by its laws, its parameters and its cost
// model.
#include "kernels/scan/selective.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/kernels/scan/scan_cases.hpp"

namespace bench::scan {
namespace {

const Op& op() {
  return support::find_op("selective");
}

std::unique_ptr<Problem> small(std::int64_t seq, std::int64_t channels, std::int64_t state,
                               std::int64_t groups) {
  return op().parse(
      params_with(op(), {{"seq", seq}, {"channels", channels}, {"state", state}, {"groups", groups}}));
}

/// All inputs of a problem in fp64, every element set to `value`.
Tensors constant_inputs(const Problem& problem, double value) {
  Tensors inputs;
  for (const TensorSpec& spec : op().inputs(problem)) {
    Tensor& tensor = inputs.add(spec.name, Tensor(DType::f64, spec.shape));
    for (std::int64_t i = 0; i < tensor.count(); ++i) tensor.set(i, value);
  }
  return inputs;
}

std::vector<std::int64_t> first_rows(std::int64_t count) {
  std::vector<std::int64_t> rows;
  for (std::int64_t t = 0; t < count; ++t) rows.push_back(t);
  return rows;
}

TEST(SelectiveReference, OfOneStepIsTheFormula) {
  const auto p = small(1, 1, 1, 1);
  Tensors in = constant_inputs(*p, 0.0);
  in["u"].set(0, 2.0);
  in["delta"].set(0, 0.3);
  in["delta_bias"].set(0, 0.2);
  in["A"].set(0, -1.5);
  in["B"].set(0, 0.7);
  in["C"].set(0, -0.4);
  in["D"].set(0, 3.0);
  in["z"].set(0, 1.2);
  in["h0"].set(0, 5.0);
  const double d = std::log(1.0 + std::exp(0.5));
  const double h = std::exp(d * -1.5) * 5.0 + d * 0.7 * 2.0;
  const Tensors out = op().reference(*p, in, first_rows(1));
  EXPECT_NEAR(out["h_last"].at(0), h, 1e-15);
  EXPECT_NEAR(out["out"].at(0), (-0.4 * h + 3.0 * 2.0) * 1.2 / (1.0 + std::exp(-1.2)), 1e-14);
}

TEST(SelectiveReference, WithoutDecayAddsUpTheInputs) {
  const auto p = small(4, 1, 1, 1);
  Tensors in = constant_inputs(*p, 1.0);
  fill(in, "A", [](std::int64_t) { return 0.0; });
  fill(in, "D", [](std::int64_t) { return 0.0; });
  fill(in, "h0", [](std::int64_t) { return 0.0; });
  const double d = std::log1p(std::exp(2.0)), gate = 1.0 / (1.0 + std::exp(-1.0));
  const Tensors out = op().reference(*p, in, first_rows(4));
  for (std::int64_t t = 0; t < 4; ++t)
    EXPECT_NEAR(out["out"].at(t), static_cast<double>(t + 1) * d * gate, 1e-14) << "step " << t;
}

TEST(SelectiveReference, AFastDecayForgetsTheStartState) {
  const auto p = small(1, 1, 2, 1);
  Tensors in = constant_inputs(*p, 1.0);
  fill(in, "A", [](std::int64_t) { return -1e4; });
  const Tensors out = op().reference(*p, in, first_rows(1));
  for (std::int64_t n = 0; n < 2; ++n)
    EXPECT_NEAR(out["h_last"].at(n), std::log1p(std::exp(2.0)), 1e-15) << "state " << n;
}

TEST(SelectiveReference, ChannelsReadTheirOwnGroup) {
  const auto p = small(1, 4, 1, 2);
  Tensors in = constant_inputs(*p, 1.0);
  fill(in, "B", [](std::int64_t g) { return g == 0 ? 1.0 : 10.0; });
  fill(in, "h0", [](std::int64_t) { return 0.0; });
  const Tensors out = op().reference(*p, in, first_rows(1));
  EXPECT_NEAR(out["h_last"].at(1), out["h_last"].at(0), 1e-15);
  EXPECT_NEAR(out["h_last"].at(2), 10.0 * out["h_last"].at(0), 1e-14);
  EXPECT_NEAR(out["h_last"].at(3), 10.0 * out["h_last"].at(0), 1e-14);
}

TEST(SelectiveReference, OfTwoPartsWithTheStateHandedOnIsThatOfTheWhole) {
  constexpr std::int64_t kSeq = 11, kCut = 4;
  const auto whole_problem = small(kSeq, 3, 2, 1), head_problem = small(kCut, 3, 2, 1),
             tail_problem = small(kSeq - kCut, 3, 2, 1);
  const Tensors whole_in = support::widen(support::make_inputs(op(), *whole_problem, 5));
  const Tensors whole = op().reference(*whole_problem, whole_in, first_rows(kSeq));
  const auto part_of_inputs = [&](const std::vector<std::int64_t>& steps, const Tensor& h0) {
    Tensors in;
    for (const TensorSpec& spec : op().inputs(*whole_problem))
      in.add(spec.name, spec.name == "h0" ? support::take(h0, -1, steps)
                                          : support::take(whole_in[spec.name], spec.sequence_axis, steps));
    return in;
  };
  std::vector<std::int64_t> head, tail;
  for (std::int64_t t = 0; t < kSeq; ++t) (t < kCut ? head : tail).push_back(t);
  const Tensors first = op().reference(*head_problem, part_of_inputs(head, whole_in["h0"]), first_rows(kCut));
  const Tensors second =
      op().reference(*tail_problem, part_of_inputs(tail, first["h_last"]), first_rows(kSeq - kCut));
  for (std::int64_t i = 0; i < second["out"].count(); ++i)
    EXPECT_EQ(second["out"].at(i), whole["out"].at(kCut * 3 + i));
  for (std::int64_t i = 0; i < second["h_last"].count(); ++i)
    EXPECT_EQ(second["h_last"].at(i), whole["h_last"].at(i));
}

TEST(SelectiveReference, SoftplusKeepsDigitsFarBelowZero) {
  EXPECT_NEAR(softplus(-40.0) / std::exp(-40.0), 1.0, 1e-15);  // log(1 + e^-40) written out would be 0
  EXPECT_EQ(softplus(21.0), 21.0);
  EXPECT_NEAR(softplus(0.0), std::log(2.0), 1e-16);
}

TEST(SelectiveOp, NamesTheParameterThatIsOutOfRange) {
  for (const char* name : {"batch", "seq", "channels", "state", "groups"}) {
    try {
      op().parse(params_with(op(), {{name, std::int64_t{-1}}}));
      ADD_FAILURE() << name << " = -1 was accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::usage);
      EXPECT_NE(std::string(e.what()).find(std::string(name) + " = -1"), std::string::npos) << e.what();
    }
  }
  EXPECT_THROW(small(4, 10, 1, 3), Error) << "3 groups do not divide 10 channels";
}

TEST(SelectiveOp, CostsWhatItsTensorsWeigh) {
  for (const std::string& dtype : all_dtypes()) {
    const auto p = op().parse(params_with(op(), {{"batch", std::int64_t{2}},
                                                 {"seq", std::int64_t{5}},
                                                 {"channels", std::int64_t{6}},
                                                 {"state", std::int64_t{3}},
                                                 {"groups", std::int64_t{2}},
                                                 {"dtype", dtype}}));
    EXPECT_EQ(op().cost(*p).bytes, static_cast<double>(tensor_bytes(op(), *p))) << dtype;
    EXPECT_EQ(op().cost(*p).flops, 6.0 * 2 * 5 * 6 * 3);
    EXPECT_EQ(op().cost(*p).exps, 2.0 * 5 * 6 * (3 + 4));
  }
}

}  // namespace
}  // namespace bench::scan
