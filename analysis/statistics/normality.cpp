// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/normality.hpp"

#include <algorithm>
#include <array>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <numbers>
#include <vector>

#include "analysis/statistics/moments.hpp"
#include "analysis/statistics/quantiles.hpp"

namespace bench::analysis {
namespace {

constexpr std::size_t kFewest = 3, kMost = 5000;
constexpr std::size_t kFewestForTwoWeights = 6;  // from here on the two outer weights are fitted, not one
constexpr std::size_t kMostForSmallFit = 11;     // up to here p has its own fit
constexpr double kBeyondTheFit = 1e-99;          // p where the small fit's logarithm does not exist

/// Coefficients of Royston's fits, constant term first. Weights in 1/sqrt(n):
constexpr std::array kOuterWeight{0.0, 0.221157, -0.147981, -2.07119, 4.434685, -2.706056};
constexpr std::array kSecondWeight{0.0, 0.042981, -0.293762, -1.752461, 5.682633, -3.582633};
/// Small samples, in n: -ln(bound - ln(1 - W)) is normal with this bound, mean and logarithm of the sd.
constexpr std::array kSmallBound{-2.273, 0.459};
constexpr std::array kSmallMean{0.544, -0.39978, 0.025054, -6.714e-4};
constexpr std::array kSmallLogSd{1.3822, -0.77857, 0.062767, -0.0020322};
/// Large samples, in ln n: ln(1 - W) is normal.
constexpr std::array kLargeMean{-1.5861, -0.31082, -0.083751, 0.0038915};
constexpr std::array kLargeLogSd{-0.4803, -0.082676, 0.0030302};

double polynomial(std::span<const double> coefficients, double x) {
  double value = 0.0;
  for (std::size_t i = coefficients.size(); i-- > 0;) value = value * x + coefficients[i];
  return value;
}

/// P(Z >= z).
double upper_tail(double z) {
  return 0.5 * std::erfc(z / std::numbers::sqrt2);
}

/// Weights of the upper half, the largest value's first; those of the lower half are their negatives, and the
/// middle of an odd n has none. Blom's expected normal order statistics, the outermost one or two replaced.
std::vector<double> weights(std::size_t size) {
  if (size == kFewest) return {std::numbers::sqrt2 / 2.0};
  const boost::math::normal_distribution<double> normal;
  const auto n = static_cast<double>(size);
  std::vector<double> w;
  double squares = 0.0;
  for (std::size_t i = 1; i <= size / 2; ++i) {
    const double share = (static_cast<double>(i) - 0.375) / (n + 0.25);
    w.push_back(boost::math::quantile(boost::math::complement(normal, share)));
    squares += 2.0 * w.back() * w.back();
  }
  const std::size_t fitted = size >= kFewestForTwoWeights ? 2 : 1;
  const std::array<std::span<const double>, 2> fits{kOuterWeight, kSecondWeight};
  double left_squares = squares, left_unit = 1.0;  // what the fitted ones leave to the others
  for (std::size_t i = 0; i < fitted; ++i) {
    const double replaced = w[i] / std::sqrt(squares) + polynomial(fits[i], 1.0 / std::sqrt(n));
    left_squares -= 2.0 * w[i] * w[i];
    left_unit -= 2.0 * replaced * replaced;
    w[i] = replaced;
  }
  const double scale = std::sqrt(left_squares / left_unit);
  for (std::size_t i = fitted; i < w.size(); ++i) w[i] /= scale;
  return w;
}

/// 1 - W, as a product of a difference and a sum: W is often so near 1 that its own digits would be lost.
double one_minus_w(std::span<const double> ascending) {
  const double range = ascending.back() - ascending.front();  // scaled by it, squares cannot overflow
  const double mean = moments_of(ascending).mean;
  const std::vector<double> upper = weights(ascending.size());
  double squares = 0.0, weight_squares = 0.0, product = 0.0;
  for (const double x : ascending) squares += (x - mean) / range * ((x - mean) / range);
  for (std::size_t i = 0; i < upper.size(); ++i) {
    weight_squares += 2.0 * upper[i] * upper[i];
    product += upper[i] * ((ascending[ascending.size() - 1 - i] - ascending[i]) / range);
  }
  const double most = std::sqrt(weight_squares * squares);
  return std::max(0.0, (most - product) * (most + product) / (weight_squares * squares));
}

double p_value(double lost, std::size_t size) {
  const auto n = static_cast<double>(size);
  if (size == kFewest) {
    const double least = std::asin(std::sqrt(0.75));  // W of three values is 3/4 at least
    return std::max(0.0, 6.0 / std::numbers::pi * (std::asin(std::sqrt(1.0 - lost)) - least));
  }
  const double y = std::log(lost);
  if (size > kMostForSmallFit) {
    const double ln_n = std::log(n);
    return upper_tail((y - polynomial(kLargeMean, ln_n)) / std::exp(polynomial(kLargeLogSd, ln_n)));
  }
  const double bound = polynomial(kSmallBound, n);
  if (y >= bound) return kBeyondTheFit;
  return upper_tail((-std::log(bound - y) - polynomial(kSmallMean, n)) /
                    std::exp(polynomial(kSmallLogSd, n)));
}

}  // namespace

std::optional<ShapiroWilk> shapiro_wilk(std::span<const double> values) {
  const bool known = std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); });
  if (values.size() < kFewest || values.size() > kMost || !known) return std::nullopt;
  const std::vector<double> ascending = sorted(values);
  if (ascending.front() == ascending.back()) return std::nullopt;
  const double lost = one_minus_w(ascending);
  return ShapiroWilk{1.0 - lost, p_value(lost, values.size())};
}

}  // namespace bench::analysis
