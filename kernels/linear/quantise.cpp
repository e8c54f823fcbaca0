// SPDX-License-Identifier: Apache-2.0
#include "kernels/linear/quantise.hpp"

#include <algorithm>
#include <cmath>

namespace bench::linear {
namespace {

constexpr int kHqqSteps = 20;
constexpr float kHqqBeta = 10.0F, kHqqGrowth = 1.01F;  // weight of the quadratic term, and its growth a step

float round_to(DType dtype, double value) {
  return dispatch(dtype, [&]<class T>() { return static_cast<float>(load(store<T>(value))); });
}

float widened(const Tensor& tensor, std::int64_t i) {
  return dispatch(tensor.dtype(), [&]<class T>() { return static_cast<float>(load(tensor.as<T>()[i])); });
}

/// The nearest code; ties go to even.
float encode(float w, float scale, float zero, float least, float most) {
  return std::clamp(std::nearbyint((w - zero) / scale), least, most);
}

/// A scale of zero (equal weights, or ones so small that it underflowed) would divide by zero.
float usable(float scale) {
  return scale > 0.0F ? scale : 1.0F;
}

/// What the zero point is optimised for: mean |error| of a group in units of the scale, and the zero point
/// that half-quadratic splitting would take next.
struct HqqStep {
  float cost, next;
};
HqqStep hqq_step(std::span<const float> w, float scale, float zero, float beta) {
  float cost = 0.0F, sum = 0.0F;
  for (const float value : w) {
    const float code = encode(value, scale, zero, -8.0F, 7.0F);
    const float error = (value - zero) / scale - code, size = std::abs(error);
    const float kept = size > 0.0F ? std::max(size - std::pow(size, -0.3F) / beta, 0.0F) : 0.0F;
    cost += size;
    sum += value / scale - std::copysign(kept, error) - code;
  }
  return {cost, scale * sum / static_cast<float>(w.size())};
}

float hqq_zero(std::span<const float> w, float scale, float zero, DType stored) {
  float best = zero, beta = kHqqBeta;
  HqqStep step = hqq_step(w, scale, zero, beta);
  float best_cost = step.cost;
  for (int i = 0; i < kHqqSteps; ++i) {
    const float next = round_to(stored, step.next);
    if (!std::isfinite(next) || next == zero) break;
    zero = next;
    step = hqq_step(w, scale, zero, beta *= kHqqGrowth);
    if (step.cost < best_cost) best_cost = step.cost, best = zero;
  }
  return best;
}

/// One group of one output channel.
void quantise_group(std::span<const float> w, const Recipe& recipe, DType stored, std::int8_t* codes,
                    float& scale, float& zero) {
  const auto [low, high] = std::ranges::minmax(w);
  zero = 0.0F;
  if (recipe.bits == 8) {
    scale = usable(round_to(stored, std::max(std::abs(low), std::abs(high)) / 127.0F));
  } else {
    const float step = round_to(stored, (high - low) / 15.0F);
    scale = usable(step);
    zero = round_to(stored, low + 8.0F * step);
    if (recipe.hqq) zero = hqq_zero(w, scale, zero, stored);
  }
  const float most = recipe.bits == 8 ? 127.0F : 7.0F, least = recipe.bits == 8 ? -127.0F : -8.0F;
  for (std::size_t i = 0; i < w.size(); ++i)
    codes[i] = static_cast<std::int8_t>(encode(w[i], scale, zero, least, most));
}

void quantise_row(std::span<const float> w, DType stored, std::int64_t row, Quantised& q) {
  const std::int64_t groups = q.groups(), length = q.recipe.group == 0 ? q.k : q.recipe.group;
  for (std::int64_t g = 0; g < groups; ++g) {
    const std::int64_t begin = g * length, end = std::min(begin + length, q.k);
    const auto at = static_cast<std::size_t>(row * groups + g);
    quantise_group(w.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)),
                   q.recipe, stored, q.codes.data() + row * q.k + begin, q.scale[at], q.zero[at]);
  }
}

}  // namespace

float Quantised::value(std::int64_t row, std::int64_t column) const {
  const std::int64_t g = recipe.group == 0 ? 0 : column / recipe.group;
  const auto at = static_cast<std::size_t>(row * groups() + g);
  return scale[at] * static_cast<float>(codes[static_cast<std::size_t>(row * k + column)]) + zero[at];
}

Quantised quantise(const Tensor& w, const Recipe& recipe, DType stored, std::int64_t threads) {
  BS_REQUIRE(recipe.quantised() && w.shape().size() == 2, "quantise: no recipe, or not a matrix");
  Quantised q{.recipe = recipe, .n = w.shape()[0], .k = w.shape()[1], .codes = {}, .scale = {}, .zero = {}};
  q.codes.resize(static_cast<std::size_t>(q.n * q.k));
  q.scale.resize(static_cast<std::size_t>(q.n * q.groups()));
  q.zero.resize(q.scale.size());
#pragma omp parallel num_threads(static_cast <int>(threads))
  {
    std::vector<float> row(static_cast<std::size_t>(q.k));
#pragma omp for schedule(static)
    for (std::int64_t n = 0; n < q.n; ++n) {
      for (std::int64_t i = 0; i < q.k; ++i) row[static_cast<std::size_t>(i)] = widened(w, n * q.k + i);
      quantise_row(row, stored, n, q);
    }
  }
  return q;
}

QuantisationError quantisation_error(const Tensor& w, const Quantised& quantised) {
  double lost = 0.0, all = 0.0, worst = 0.0, largest = 0.0;
  for (std::int64_t row = 0; row < quantised.n; ++row) {
    for (std::int64_t i = 0; i < quantised.k; ++i) {
      const double value = w.at(row * quantised.k + i);
      const double error = std::abs(value - static_cast<double>(quantised.value(row, i)));
      lost += error * error;
      all += value * value;
      worst = std::max(worst, error);
      largest = std::max(largest, std::abs(value));
    }
  }
  if (all == 0.0) return {};
  return {std::sqrt(lost / all), worst / largest};
}

}  // namespace bench::linear
