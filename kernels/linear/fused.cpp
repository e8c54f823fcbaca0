// SPDX-License-Identifier: Apache-2.0
#include "kernels/linear/fused.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "src/core/error.hpp"
#include "src/core/nearest.hpp"

namespace bench::linear {
namespace {

constexpr std::array<std::string_view, 2> kNorms{"none", "layer"};
constexpr std::array<std::string_view, 9> kActivations{"none", "relu", "leakyrelu", "relu6",    "sigmoid",
                                                       "tanh", "silu", "gelu",      "hardswish"};

/// The place of `text` among `names`.
std::size_t place(std::string_view what, std::string_view text, std::span<const std::string_view> names) {
  const auto found = std::ranges::find(names, text);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  std::string allowed;
  std::vector<std::string> list;
  for (const std::string_view name : names) {
    allowed += concat(allowed.empty() ? "" : ", ", name);
    list.emplace_back(name);
  }
  usage_error(concat(what, " '", text, "' is not known; allowed: ", allowed, suggestion(text, list)));
}

}  // namespace

std::string_view to_text(Norm norm) {
  return kNorms[static_cast<std::size_t>(norm)];
}
std::string_view to_text(Activation activation) {
  return kActivations[static_cast<std::size_t>(activation)];
}
Norm parse_norm(std::string_view text) {
  return static_cast<Norm>(place("norm", text, kNorms));
}
Activation parse_activation(std::string_view text) {
  return static_cast<Activation>(place("activation", text, kActivations));
}

void normalise(Norm norm, std::span<double> row) {
  if (norm == Norm::none) return;
  const auto count = static_cast<double>(row.size());
  double mean = 0.0, square = 0.0;
  for (const double x : row) mean += x / count;
  for (const double x : row) square += (x - mean) * (x - mean) / count;
  for (double& x : row) x = (x - mean) / std::sqrt(square + kNormEpsilon);
}

double activate(Activation activation, double x) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::relu:
      return std::max(x, 0.0);
    case Activation::leakyrelu:
      return x < 0.0 ? kLeak * x : x;
    case Activation::relu6:
      return std::clamp(x, 0.0, 6.0);
    case Activation::sigmoid:
      return 1.0 / (1.0 + std::exp(-x));
    case Activation::tanh:
      return std::tanh(x);
    case Activation::silu:
      return x / (1.0 + std::exp(-x));
    case Activation::gelu:
      return 0.5 * x * (1.0 + std::erf(x / std::numbers::sqrt2));
    case Activation::hardswish:
      return x * std::clamp(x + 3.0, 0.0, 6.0) / 6.0;
  }
  return x;
}

}  // namespace bench::linear
