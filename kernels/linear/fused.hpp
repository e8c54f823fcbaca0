// SPDX-License-Identifier: Apache-2.0
// What may surround the product: y = activation(norm(x) w^T + bias).
//
// The layer norm has neither gain nor shift (they would fold into w and the bias): (x - mean) / sqrt(var + 1e-5) over
// a row's inputs, var the mean square deviation, as torch.nn.LayerNorm has it. Activations are torch.nn's with their
// defaults: gelu is the exact one, x (1 + erf(x / sqrt 2)) / 2; leakyrelu has the slope 0.01.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace bench::linear {

enum class Norm : std::uint8_t { none, layer };
enum class Activation : std::uint8_t { none, relu, leakyrelu, relu6, sigmoid, tanh, silu, gelu, hardswish };

inline constexpr double kNormEpsilon = 1e-5;
inline constexpr double kLeak = 0.01;

std::string_view to_text(Norm norm);
std::string_view to_text(Activation activation);
/// Usage error that lists what is allowed when `text` is none of them.
Norm parse_norm(std::string_view text);
Activation parse_activation(std::string_view text);

/// In fp64, for the oracle.
void normalise(Norm norm, std::span<double> row);
double activate(Activation activation, double x);

}  // namespace bench::linear
