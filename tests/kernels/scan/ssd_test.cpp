// SPDX-License-Identifier: Apache-2.0
// The ssd op itself: its oracle on cases worked by hand and by its laws, its parameters and its cost model.
#include "kernels/scan/ssd.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/kernels/scan/scan_cases.hpp"

namespace bench::scan {
namespace {

const Op& op() {
  return support::find_op("ssd");
}

std::unique_ptr<Problem> small(std::int64_t seq, std::int64_t heads, std::int64_t head_dim,
                               std::int64_t state, std::int64_t groups) {
  return op().parse(params_with(
      op(), {{"seq", seq}, {"heads", heads}, {"head_dim", head_dim}, {"state", state}, {"groups", groups}}));
}

/// All inputs of a problem in fp64, every element set to `value`.
Tensors constant_inputs(const Problem& problem, double value) {
  Tensors inputs;
  for (const TensorSpec& spec : op().inputs(problem)) {
    inputs.add(spec.name, Tensor(DType::f64, spec.shape));
    fill(inputs, spec.name, [=](std::int64_t) { return value; });
  }
  return inputs;
}

TEST(SsdReference, OfOneStepIsTheFormula) {
  const auto p = small(1, 1, 2, 2, 1);  // the smallest at which rows and columns of the state differ
  Tensors in = constant_inputs(*p, 0.0);
  in["dt"].set(0, 0.3);
  in["dt_bias"].set(0, 0.2);
  in["A"].set(0, -1.5);
  in["D"].set(0, 3.0);
  fill(in, "x", [](std::int64_t i) { return i == 0 ? 2.0 : -1.0; });
  fill(in, "B", [](std::int64_t n) { return n == 0 ? 0.7 : 0.1; });
  fill(in, "C", [](std::int64_t n) { return n == 0 ? -0.4 : 0.9; });
  fill(in, "h0", [](std::int64_t i) { return static_cast<double>(i) + 1.0; });  // 1 2 / 3 4
  const double d = std::log(1.0 + std::exp(0.5)), decay = std::exp(-1.5 * d);
  const Tensors out = op().reference(*p, in, row_range(0, 1));
  EXPECT_NEAR(out["h_last"].at(0), decay * 1.0 + d * 2.0 * 0.7, 1e-15);
  EXPECT_NEAR(out["h_last"].at(1), decay * 2.0 + d * 2.0 * 0.1, 1e-15);
  EXPECT_NEAR(out["h_last"].at(2), decay * 3.0 - d * 0.7, 1e-15);
  EXPECT_NEAR(out["h_last"].at(3), decay * 4.0 - d * 0.1, 1e-15);
  EXPECT_NEAR(out["out"].at(0), -0.4 * out["h_last"].at(0) + 0.9 * out["h_last"].at(1) + 6.0, 1e-15);
  EXPECT_NEAR(out["out"].at(1), -0.4 * out["h_last"].at(2) + 0.9 * out["h_last"].at(3) - 3.0, 1e-15);
}

TEST(SsdReference, WithoutDecayIsCausalLinearAttention) {
  // out_t = sum_{j <= t} (C_t . B_j) d_j x_j: the duality that gives the op its name.
  constexpr std::int64_t kSeq = 5, kStates = 3;
  const auto p = small(kSeq, 1, 1, kStates, 1);
  Tensors in = support::widen(support::make_inputs(op(), *p, 3));
  for (const char* name : {"A", "D", "h0"}) fill(in, name, [](std::int64_t) { return 0.0; });
  const Tensors out = op().reference(*p, in, row_range(0, kSeq));
  for (std::int64_t t = 0; t < kSeq; ++t) {
    double want = 0.0;
    for (std::int64_t j = 0; j <= t; ++j) {
      const double d = std::log1p(std::exp(in["dt"].at(j) + in["dt_bias"].at(0)));
      for (std::int64_t n = 0; n < kStates; ++n)
        want += in["C"].at(t * kStates + n) * in["B"].at(j * kStates + n) * d * in["x"].at(j);
    }
    EXPECT_NEAR(out["out"].at(t), want, 1e-14) << "step " << t;
  }
}

TEST(SsdReference, HeadsReadTheirOwnGroupAndDecay) {
  const auto p = small(1, 4, 1, 1, 2);
  Tensors in = constant_inputs(*p, 1.0);
  fill(in, "B", [](std::int64_t g) { return g == 0 ? 1.0 : 10.0; });
  fill(in, "A", [](std::int64_t h) { return h == 3 ? -1e4 : 0.0; });
  const Tensors out = op().reference(*p, in, row_range(0, 1));
  const double d = std::log1p(std::exp(2.0));
  EXPECT_NEAR(out["h_last"].at(0), 1.0 + d, 1e-14);
  EXPECT_NEAR(out["h_last"].at(1), 1.0 + d, 1e-14);
  EXPECT_NEAR(out["h_last"].at(2), 1.0 + 10.0 * d, 1e-14);
  EXPECT_NEAR(out["h_last"].at(3), 10.0 * d, 1e-14) << "this head forgets h0";
}

TEST(SsdReference, OfTwoPartsWithTheStateHandedOnIsThatOfTheWhole) {
  constexpr std::int64_t kSeq = 11, kCut = 4, kRow = 2 * 3;  // 2 heads of 3 elements
  const auto whole_problem = small(kSeq, 2, 3, 2, 1), head_problem = small(kCut, 2, 3, 2, 1),
             tail_problem = small(kSeq - kCut, 2, 3, 2, 1);
  const Tensors whole_in = support::widen(support::make_inputs(op(), *whole_problem, 5));
  const Tensors whole = op().reference(*whole_problem, whole_in, row_range(0, kSeq));
  const auto part_of_inputs = [&](const std::vector<std::int64_t>& steps, const Tensor& h0) {
    Tensors in;
    for (const TensorSpec& spec : op().inputs(*whole_problem))
      in.add(spec.name, spec.name == "h0" ? support::take(h0, -1, steps)
                                          : support::take(whole_in[spec.name], spec.sequence_axis, steps));
    return in;
  };
  const Tensors first =
      op().reference(*head_problem, part_of_inputs(row_range(0, kCut), whole_in["h0"]), row_range(0, kCut));
  const Tensors second = op().reference(*tail_problem, part_of_inputs(row_range(kCut, kSeq), first["h_last"]),
                                        row_range(0, kSeq - kCut));
  for (std::int64_t i = 0; i < second["out"].count(); ++i)
    EXPECT_EQ(second["out"].at(i), whole["out"].at(kCut * kRow + i));
  for (std::int64_t i = 0; i < second["h_last"].count(); ++i)
    EXPECT_EQ(second["h_last"].at(i), whole["h_last"].at(i));
}

TEST(SsdReference, GivesTheRowsThatAreAskedFor) {
  const auto p = small(6, 2, 2, 3, 1);
  const Tensors in = support::widen(support::make_inputs(op(), *p, 7));
  const Tensors whole = op().reference(*p, in, row_range(0, 6));
  const std::vector<std::int64_t> rows{1, 4};
  const Tensors some = op().reference(*p, in, rows);
  for (std::int64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(some["out"].at(i), whole["out"].at(1 * 4 + i));
    EXPECT_EQ(some["out"].at(4 + i), whole["out"].at(4 * 4 + i));
  }
}

TEST(SsdReference, GatedIsTheSameTimesSilu) {
  const Params shape{{"seq", std::int64_t{3}},
                     {"heads", std::int64_t{2}},
                     {"head_dim", std::int64_t{2}},
                     {"state", std::int64_t{2}},
                     {"gated", true}};
  const auto gated = op().parse(params_with(op(), shape)), plain = small(3, 2, 2, 2, 1);
  const Tensors in = support::widen(support::make_inputs(op(), *gated, 7));
  const Tensors got = op().reference(*gated, in, row_range(0, 3)),
                bare = op().reference(*plain, in, row_range(0, 3));
  for (std::int64_t i = 0; i < got["out"].count(); ++i) {
    const double z = in["z"].at(i);
    EXPECT_NEAR(got["out"].at(i), bare["out"].at(i) * z / (1.0 + std::exp(-z)), 1e-14);
  }
}

TEST(SsdOp, NamesTheParameterThatIsOutOfRange) {
  for (const char* name : {"batch", "seq", "heads", "head_dim", "state", "groups"}) {
    try {
      op().parse(params_with(op(), {{name, std::int64_t{-1}}}));
      ADD_FAILURE() << name << " = -1 was accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::usage);
      EXPECT_NE(std::string(e.what()).find(std::string(name) + " = -1"), std::string::npos) << e.what();
    }
  }
  EXPECT_THROW(small(4, 10, 1, 1, 3), Error) << "3 groups do not divide 10 heads";
  for (const char* limits : {"", "0.1", "0.1:", "0.2:0.1", "0.1:0.1", "-1:2", "a:b", "0.1:0.2:0.3", "nan:1"}) {
    try {
      op().parse(params_with(op(), {{"dt_limit", std::string(limits)}}));
      ADD_FAILURE() << "dt_limit '" << limits << "' was accepted";
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("dt_limit"), std::string::npos) << e.what();
    }
  }
}

TEST(SsdOp, CostsWhatItsTensorsWeigh) {
  for (const std::string& dtype : all_dtypes()) {
    const auto p = op().parse(params_with(op(), {{"batch", std::int64_t{2}},
                                                 {"seq", std::int64_t{5}},
                                                 {"heads", std::int64_t{6}},
                                                 {"head_dim", std::int64_t{7}},
                                                 {"state", std::int64_t{3}},
                                                 {"groups", std::int64_t{2}},
                                                 {"dtype", dtype}}));
    EXPECT_EQ(op().cost(*p).bytes, static_cast<double>(tensor_bytes(op(), *p))) << dtype;
    EXPECT_EQ(op().cost(*p).flops, 4.0 * 2 * 5 * 6 * 7 * 3);
    EXPECT_EQ(op().cost(*p).exps, 3.0 * 2 * 5 * 6);
    EXPECT_EQ(op().cost(*p).wire_bytes, 0.0) << "one rank sends nothing";
  }
  const auto gated = op().parse(params_with(op(), {{"seq", std::int64_t{5}}, {"gated", true}}));
  EXPECT_EQ(op().cost(*gated).bytes, static_cast<double>(tensor_bytes(op(), *gated)));
}

}  // namespace
}  // namespace bench::scan
