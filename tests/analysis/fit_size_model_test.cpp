// SPDX-License-Identifier: Apache-2.0
#include "analysis/fits/size_model.hpp"

#include <cmath>
#include <functional>

#include "src/core/rng.hpp"
#include "tests/analysis/known_answers.hpp"

namespace bench::analysis {
namespace {

/// Sequence lengths 128 to 8192 by doublings, the range of a usual study.
std::vector<SizePoint> curve(const std::function<double(double)>& time_s, double noise = 0.0,
                             std::uint64_t seed = 0) {
  const CounterRng rng(seed, "size");
  std::vector<SizePoint> points;
  for (double n = 128; n <= 8192; n *= 2)
    points.push_back({n, time_s(n) * (1.0 + noise * rng.normal(points.size()))});
  return points;
}

TEST(SizeModel, FindsEachOfItsTermsExactly) {
  for (const double power : {0.0, 0.5, 1.0, 1.5, 2.0})
    for (const int log_power : {0, 1}) {
      if (power == 0.0 && log_power == 0) continue;
      const SizeFit fit = fit_size(curve(
          [&](double n) { return 2.0 + 0.01 * std::pow(n, power) * std::pow(std::log2(n), log_power); }));
      ASSERT_TRUE(fit.fitted);
      EXPECT_EQ(fit.power, power);
      EXPECT_EQ(fit.log_power, log_power) << "n^" << power;
      expect_close(fit.constant_s, 2.0, 1e-9);
      expect_close(fit.coefficient_s, 0.01, 1e-9);
      EXPECT_LT(fit.loo_smape, 1e-9);
    }
}

TEST(SizeModel, TakesAttentionForQuadraticUnderNoise) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const SizeFit fit = fit_size(curve([](double n) { return 1e-4 + 3e-9 * n * n; }, 0.01, seed));
    EXPECT_EQ(fit.power, 2.0);
    EXPECT_EQ(fit.log_power, 0);
    expect_close(time_of_size(fit, 16384), 1e-4 + 3e-9 * 16384.0 * 16384.0, 0.05);
    EXPECT_LT(fit.loo_smape, 0.05);
  }
}

TEST(SizeModel, SeldomSeesATermInNoise) {
  int constant = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed)
    constant += fit_size(curve([](double) { return 0.3; }, 0.05, seed)).coefficient_s == 0.0 ? 1 : 0;
  EXPECT_GE(constant, 85)
      << "nine terms have nine chances; 2 units and the correction for 7 points leave them few";
}

TEST(SizeModel, NeverForetellsANegativeTime) {
  const SizeFit fit = fit_size(curve([](double n) { return 1.0 / n; }));
  EXPECT_GT(time_of_size(fit, 1e6), 0.0) << "time that falls with size is no law of ours: a constant is left";
}

TEST(SizeModel, SaysWhyItIsNotFitted) {
  const std::vector<SizePoint> four{{1, 1}, {2, 2}, {4, 4}, {8, 8}};
  EXPECT_FALSE(fit_size(four).fitted);
  EXPECT_EQ(to_text(fit_size(four)), "not fitted, n=4");
}

TEST(SizeModel, ReadsAsAFormula) {
  SizeFit fit{.fitted = true, .constant_s = 0.001, .coefficient_s = 2e-9, .power = 1.5, .log_power = 1};
  EXPECT_EQ(to_text(fit), "0.001 + 2e-09 n^1.5 log2(n)");
  fit.coefficient_s = 0.0;
  EXPECT_EQ(to_text(fit), "0.001");
}

}  // namespace
}  // namespace bench::analysis
