// SPDX-License-Identifier: Apache-2.0
// The linear op itself: its oracle on cases worked by hand, its parameters and its cost model.
#include "kernels/linear/linear.hpp"

#include <gtest/gtest.h>

#include <map>

#include "tests/kernels/linear/linear_cases.hpp"

namespace bench::linear {
namespace {

Tensor matrix(Shape shape, const std::vector<double>& values) {
  Tensor tensor(DType::f64, std::move(shape));
  for (std::size_t i = 0; i < values.size(); ++i) tensor.set(static_cast<std::int64_t>(i), values[i]);
  return tensor;
}

Tensors layer_by_hand() {
  Tensors inputs;
  inputs.add("x", matrix({2, 3}, {1, 2, 3, -1, 0, 1}));
  inputs.add("w", matrix({2, 3}, {1, 0, -1, 2, 2, 2}));
  inputs.add("bias", matrix({2}, {10, 20}));
  return inputs;
}

TEST(LinearReference, WorkedByHand) {
  const auto problem = problem_of({2, 2, 3, 1}, "fp32", "none");
  const std::vector<std::int64_t> rows{0, 1};
  const Tensors y = linear_op().reference(*problem, layer_by_hand(), rows);
  const std::vector<double> want{8, 32, 8, 20};
  for (std::int64_t i = 0; i < 4; ++i) EXPECT_EQ(y["y"].at(i), want[static_cast<std::size_t>(i)]) << i;
}

TEST(LinearReference, GivesOnlyTheRowsAskedFor) {
  const auto problem = problem_of({2, 2, 3, 1}, "fp32", "none");
  const std::vector<std::int64_t> rows{1};
  const Tensors y = linear_op().reference(*problem, layer_by_hand(), rows);
  ASSERT_EQ(y["y"].shape(), (Shape{1, 2}));
  EXPECT_EQ(y["y"].at(0), 8);
  EXPECT_EQ(y["y"].at(1), 20);
}

// Weights 1, 0, -1 and 2, 2, 2 are codes 127, 0, -127 and 127: only the scale, 2 / 127 in fp32, is rounded.
TEST(LinearReference, OfAQuantisedRecipeUsesTheDequantisedWeights) {
  const auto problem = problem_of({2, 2, 3, 1}, "fp32", "int8wo");
  const std::vector<std::int64_t> rows{0};
  const Tensors y = linear_op().reference(*problem, layer_by_hand(), rows);
  const double one = 127.0 * static_cast<double>(1.0F / 127.0F),
               two = 127.0 * static_cast<double>(2.0F / 127.0F);
  EXPECT_DOUBLE_EQ(y["y"].at(0), 10 - 2 * one);
  EXPECT_DOUBLE_EQ(y["y"].at(1), 20 + 6 * two);
}

TEST(LinearOp, NamesTheParameterThatIsOutOfRange) {
  for (const char* name : {"tokens", "out_features", "in_features"}) {
    try {
      linear_op().parse(params_with({{name, std::int64_t{0}}}));
      ADD_FAILURE() << name << " = 0 was accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::usage);
      EXPECT_NE(std::string(e.what()).find(std::string(name) + " = 0"), std::string::npos) << e.what();
    }
  }
}

TEST(LinearOp, RefusesAnUnknownRecipeWithTheNearestName) {
  const std::vector<std::pair<std::string, std::string>> typos{
      {"int8", "int8wo"}, {"int4wo-129", "int4wo-128"}, {"int4wo-64-hq", "int4wo-64-hqq"}, {"none ", "none"}};
  for (const auto& [typo, meant] : typos) {
    try {
      linear_op().parse(params_with({{"recipe", typo}}));
      ADD_FAILURE() << typo << " was accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::usage);
      EXPECT_NE(std::string(e.what()).find("recipe '" + typo + "'"), std::string::npos) << e.what();
      EXPECT_NE(std::string(e.what()).find("'" + meant + "'"), std::string::npos) << e.what();
    }
  }
}

TEST(LinearOp, ReadsBackEveryRecipeItNames) {
  for (const std::string& name : recipe_names()) EXPECT_EQ(to_text(parse_recipe(name)), name);
}

TEST(LinearOp, CostsWhatItsTensorsWeighWhenWeightsAreAsTheyAre) {
  for (const char* dtype : {"fp32", "bf16"}) {
    const auto p = problem_of({5, 7, 11, 1}, dtype, "none");
    EXPECT_EQ(linear_op().cost(*p).bytes, static_cast<double>(tensor_bytes(linear_op(), *p))) << dtype;
    EXPECT_EQ(linear_op().cost(*p).flops, 2.0 * 5 * 7 * 11);
  }
}

// n = 3, k = 100: int8 has 300 codes and 3 scales; int4wo-64 150 bytes of codes, 2 groups with scale and
// zero.
TEST(LinearOp, CountsWeightsAsTheRecipeStoresThem) {
  const auto bytes = [](const char* dtype, const char* recipe) {
    return weight_bytes(problem_as<LinearProblem>(*problem_of({1, 3, 100, 1}, dtype, recipe)));
  };
  EXPECT_EQ(bytes("fp32", "none"), 1200);
  EXPECT_EQ(bytes("fp32", "int8wo"), 300 + 3 * 4);
  EXPECT_EQ(bytes("bf16", "int4wo-64"), 150 + 3 * 2 * 2 * 2);
}

/// The figures of one quantised problem, by name.
std::map<std::string, double> figures_of(const std::string& recipe, std::int64_t n, std::int64_t k) {
  const auto problem = problem_of({2, n, k, 1}, "fp32", recipe);
  const Tensors inputs = support::widen(support::make_inputs(linear_op(), *problem, 1));
  const std::vector<std::int64_t> rows{0, 1};
  std::map<std::string, double> values;
  for (const Figure& figure :
       linear_op().figures(*problem, inputs, rows, linear_op().reference(*problem, inputs, rows)))
    values[figure.name] = figure.value;
  return values;
}

TEST(LinearFigures, AreNoneWhereWeightsAreAsTheyAre) {
  EXPECT_TRUE(figures_of("none", 8, 64).empty());
}

// Sums of independent errors keep the weights' own relative error (quantise_test.cpp derives it): 0.0084 of 8 bits over
// 4096 inputs is an SNR of 41.5 dB, 0.080 of 4 bits in groups of 32 one of 22 dB. 1000 outputs: 3 % of spread.
TEST(LinearFigures, AreTheRelativeErrorOfTheWeights) {
  const auto int8 = figures_of("int8wo", 500, 4096), int4 = figures_of("int4wo-32", 500, 4096);
  EXPECT_NEAR(int8.at("quantisation_error"), 0.0084, 0.0010);
  EXPECT_NEAR(int8.at("quantisation_snr"), 41.5, 1.0);
  EXPECT_NEAR(int4.at("quantisation_error"), 0.080, 0.008);
  EXPECT_NEAR(int4.at("quantisation_snr"), 22.0, 1.0);
}

}  // namespace
}  // namespace bench::linear
