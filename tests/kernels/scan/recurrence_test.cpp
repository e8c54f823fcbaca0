// SPDX-License-Identifier: Apache-2.0
// The recurrence op itself: its oracle on cases worked by hand and by its laws, its parameters and its cost
// model.
#include "kernels/scan/recurrence.hpp"

#include <gtest/gtest.h>

#include "tests/kernels/scan/scan_cases.hpp"

namespace bench::scan {
namespace {

const Op& op() {
  return support::find_op("recurrence");
}

/// One channel, one batch entry.
Tensors oracle(const std::vector<double>& a, const std::vector<double>& b, double h0) {
  RecurrenceProblem p;
  p.seq = static_cast<std::int64_t>(a.size());
  p.channels = 1;
  Tensors inputs;
  std::vector<std::int64_t> rows;
  inputs.add("a", Tensor(DType::f64, {1, p.seq, 1}));
  inputs.add("b", Tensor(DType::f64, {1, p.seq, 1}));
  for (std::int64_t t = 0; t < p.seq; ++t) {
    inputs["a"].set(t, a[static_cast<std::size_t>(t)]);
    inputs["b"].set(t, b[static_cast<std::size_t>(t)]);
    rows.push_back(t);
  }
  inputs.add("h0", Tensor(DType::f64, {1, 1})).set(0, h0);
  return recurrence_reference(p, inputs, rows);
}

void expect_h(const Tensors& outputs, const std::vector<double>& want) {
  ASSERT_EQ(outputs["h"].count(), static_cast<std::int64_t>(want.size()));
  for (std::size_t t = 0; t < want.size(); ++t)
    EXPECT_DOUBLE_EQ(outputs["h"].at(static_cast<std::int64_t>(t)), want[t]) << "step " << t;
  EXPECT_DOUBLE_EQ(outputs["h_last"].at(0), want.back());
}

TEST(RecurrenceReference, OfOnesCounts) {
  expect_h(oracle({1, 1, 1, 1}, {1, 1, 1, 1}, 0), {1, 2, 3, 4});
}
TEST(RecurrenceReference, WithoutInputDecaysTheStartState) {
  expect_h(oracle({0.5, 0.5, 0.5}, {0, 0, 0}, 8), {4, 2, 1});
}
TEST(RecurrenceReference, ADecayOfZeroForgetsEverythingBefore) {
  expect_h(oracle({1, 0, 2}, {5, 7, 1}, 100), {105, 7, 15});
}
TEST(RecurrenceReference, WorkedByHand) {
  expect_h(oracle({2, -1, 0.5}, {1, 3, 4}, 1), {3, 0, 4});
}

TEST(RecurrenceReference, OfTwoPartsWithTheStateHandedOnIsThatOfTheWhole) {
  const std::vector<double> a{0.9, 0.1, 0.7, 1.0, 0.3, 0.8, 0.6}, b{1, -2, 3, -4, 5, -6, 7};
  const Tensors whole = oracle(a, b, 0.25);
  for (std::size_t cut = 1; cut < a.size(); ++cut) {
    const auto at = static_cast<std::ptrdiff_t>(cut);
    const Tensors first = oracle({a.begin(), a.begin() + at}, {b.begin(), b.begin() + at}, 0.25);
    const Tensors second =
        oracle({a.begin() + at, a.end()}, {b.begin() + at, b.end()}, first["h_last"].at(0));
    EXPECT_EQ(second["h_last"].at(0), whole["h_last"].at(0)) << "cut at " << cut;
    EXPECT_EQ(second["h"].at(0), whole["h"].at(at)) << "cut at " << cut;
  }
}

TEST(RecurrenceReference, GivesOnlyTheRowsAskedFor) {
  const auto problem =
      op().parse(params_with(op(), {{"seq", std::int64_t{9}}, {"channels", std::int64_t{3}}}));
  const Tensors inputs = support::widen(support::make_inputs(op(), *problem, 1));
  const std::vector<std::int64_t> all{0, 1, 2, 3, 4, 5, 6, 7, 8}, some{2, 7};
  const Tensors whole = op().reference(*problem, inputs, all), part = op().reference(*problem, inputs, some);
  ASSERT_EQ(part["h"].shape(), (Shape{1, 2, 3}));
  for (std::int64_t c = 0; c < 3; ++c) {
    EXPECT_EQ(part["h"].at(c), whole["h"].at(2 * 3 + c));
    EXPECT_EQ(part["h"].at(3 + c), whole["h"].at(7 * 3 + c));
    EXPECT_EQ(part["h_last"].at(c), whole["h"].at(8 * 3 + c));
  }
}

TEST(RecurrenceOp, NamesTheParameterThatIsOutOfRange) {
  for (const char* name : {"batch", "seq", "channels"}) {
    try {
      op().parse(params_with(op(), {{name, std::int64_t{0}}}));
      ADD_FAILURE() << name << " = 0 was accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::usage);
      EXPECT_NE(std::string(e.what()).find(std::string(name) + " = 0"), std::string::npos) << e.what();
    }
  }
}

TEST(RecurrenceOp, CostsWhatItsTensorsWeigh) {
  for (const std::string& dtype : all_dtypes()) {
    const auto p = op().parse(params_with(op(), {{"batch", std::int64_t{2}},
                                                 {"seq", std::int64_t{5}},
                                                 {"channels", std::int64_t{3}},
                                                 {"dtype", dtype}}));
    EXPECT_EQ(op().cost(*p).bytes, static_cast<double>(tensor_bytes(op(), *p))) << dtype;
    EXPECT_EQ(op().cost(*p).flops, 2.0 * 2 * 5 * 3);
    EXPECT_EQ(op().cost(*p).wire_bytes, 0.0) << "one rank sends nothing";
  }
}

}  // namespace
}  // namespace bench::scan
