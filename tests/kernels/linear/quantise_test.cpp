// SPDX-License-Identifier: Apache-2.0
// What the recipes mean: codes, scales and zero points worked by hand, bounds on the error, and what HQQ
// buys.
#include "kernels/linear/quantise.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "src/core/rng.hpp"

namespace bench::linear {
namespace {

Tensor row_of(const std::vector<double>& values) {
  Tensor w(DType::f32, {1, static_cast<std::int64_t>(values.size())});
  for (std::size_t i = 0; i < values.size(); ++i) w.set(static_cast<std::int64_t>(i), values[i]);
  return w;
}

Tensor normal_weights(std::int64_t n, std::int64_t k) {
  Tensor w(DType::f32, {n, k});
  const CounterRng rng(1, "w");
  for (std::int64_t i = 0; i < w.count(); ++i) w.set(i, rng.normal(static_cast<std::uint64_t>(i)));
  return w;
}

TEST(Quantise, Int8ScalesTheLargestWeightTo127) {
  const Quantised q =
      quantise(row_of({-2.54, 1.27, 0.0, 0.014, 0.016}), parse_recipe("int8wo"), DType::f32, 1);
  EXPECT_FLOAT_EQ(q.scale[0], 0.02F);
  EXPECT_EQ(q.zero[0], 0.0F);
  EXPECT_EQ(q.codes, (std::vector<std::int8_t>{-127, 64, 0, 1, 1}))
      << "1.27 is code 63.5, and ties go to even";
}

// 16 equally spaced weights are exactly the 16 codes.
TEST(Quantise, Int4SpansTheGroupFromItsSmallestToItsLargest) {
  std::vector<double> values;
  for (int i = 0; i < 16; ++i) values.push_back(3.0 + 0.25 * i);
  const Quantised q = quantise(row_of(values), parse_recipe("int4wo-32"), DType::f32, 1);
  EXPECT_EQ(q.scale[0], 0.25F);
  EXPECT_EQ(q.zero[0], 5.0F);
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(q.codes[static_cast<std::size_t>(i)], i - 8);
    EXPECT_EQ(q.value(0, i), values[static_cast<std::size_t>(i)]);
  }
}

// 70 inputs in groups of 32: the third has six. Each is constant, and so exact.
TEST(Quantise, EachGroupHasItsOwnScaleAndTheLastMayBeShort) {
  std::vector<double> values(70);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i / 32) - 1.0;
  const Quantised q = quantise(row_of(values), parse_recipe("int4wo-32"), DType::f32, 1);
  ASSERT_EQ(q.groups(), 3);
  for (std::int64_t i = 0; i < 70; ++i) EXPECT_EQ(q.value(0, i), values[static_cast<std::size_t>(i)]) << i;
}

TEST(Quantise, RoundsScalesToTheLayersType) {
  const Tensor w = normal_weights(4, 256);
  for (const char* name : {"int8wo", "int4wo-64", "int4wo-64-hqq"}) {
    const Quantised q = quantise(w, parse_recipe(name), DType::bf16, 1);
    for (std::size_t i = 0; i < q.scale.size(); ++i) {
      EXPECT_EQ(to_float(to_bf16(q.scale[i])), q.scale[i]) << name;
      EXPECT_EQ(to_float(to_bf16(q.zero[i])), q.zero[i]) << name;
    }
  }
}

// Half a step, with fp32 scales: what rounding to the nearest code means.
TEST(Quantise, NoWeightIsFurtherThanHalfAStepAway) {
  const Tensor w = normal_weights(3, 500);
  for (const char* name : {"int8wo", "int4wo-32", "int4wo-256"}) {
    const Quantised q = quantise(w, parse_recipe(name), DType::f32, 2);
    for (std::int64_t row = 0; row < 3; ++row) {
      for (std::int64_t i = 0; i < 500; ++i) {
        const std::int64_t g = q.recipe.group == 0 ? 0 : i / q.recipe.group;
        const double step = static_cast<double>(q.scale[static_cast<std::size_t>(row * q.groups() + g)]);
        EXPECT_LE(std::abs(w.at(row * 500 + i) - static_cast<double>(q.value(row, i))), 0.5001 * step)
            << name;
      }
    }
  }
}

// Expected rms of an error that is uniform over a step, step / sqrt(12): 4096 normal weights have max|w|
// of 3.7 on average, so 8 bits lose 0.0084; 4 bits over 32 weights span 4.1, and lose 0.080.
TEST(QuantisationError, IsThatOfUniformRounding) {
  const Tensor w = normal_weights(16, 4096);
  const auto error = [&](const char* name) {
    return quantisation_error(w, quantise(w, parse_recipe(name), DType::f32, 1));
  };
  EXPECT_NEAR(error("int8wo").rms, 3.7 / 127.0 / std::sqrt(12.0), 0.0008);
  EXPECT_NEAR(error("int4wo-32").rms, 4.1 / 15.0 / std::sqrt(12.0), 0.004);
  EXPECT_LT(error("int4wo-32").rms, error("int4wo-256").rms) << "smaller groups span less";
  EXPECT_LE(error("int4wo-32").largest, error("int4wo-256").largest);
}

TEST(QuantisationError, IsNoneWhereWeightsAreCodes) {
  const Tensor w = row_of({0.0, 0.0, 0.0});
  const auto error = quantisation_error(w, quantise(w, parse_recipe("int8wo"), DType::f32, 1));
  EXPECT_EQ(error.rms, 0.0);
  EXPECT_EQ(error.largest, 0.0);
}

// By the measure it optimises: mean |w - w_r|.
TEST(Hqq, NeverLosesMoreThanNoZeroPointOptimisation) {
  const Tensor w = normal_weights(8, 512);
  const auto mean_error = [&](const char* name, std::int64_t row) {
    const Quantised q = quantise(w, parse_recipe(name), DType::f32, 1);
    double sum = 0.0;
    for (std::int64_t i = 0; i < 512; ++i)
      sum += std::abs(w.at(row * 512 + i) - static_cast<double>(q.value(row, i)));
    return sum;
  };
  int better = 0;
  for (std::int64_t row = 0; row < 8; ++row) {
    const double plain = mean_error("int4wo-64", row), hqq = mean_error("int4wo-64-hqq", row);
    EXPECT_LE(hqq, plain * (1.0 + 1e-6)) << "row " << row;
    better += hqq < plain * 0.999 ? 1 : 0;
  }
  EXPECT_GE(better, 4) << "it should help most rows of 8 groups";
}

}  // namespace
}  // namespace bench::linear
