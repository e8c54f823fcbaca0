// SPDX-License-Identifier: Apache-2.0
// How a linear layer's weights are stored, as one word: none, int8wo, int4wo-<group>, int4wo-<group>-hqq, the
// names that torchao's benchmark recipes have.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bench::linear {

/// bits = 0: the weights as they are. 8: symmetric, one scale an output channel. 4: a scale and a zero point
/// for every `group` consecutive inputs of an output channel; with hqq the zero points are optimised.
struct Recipe {
  std::int64_t bits = 0;
  std::int64_t group = 0;  // inputs that share a scale; 0: all of an output channel
  bool hqq = false;

  bool quantised() const { return bits != 0; }
  /// Scales of one output channel of k inputs; the last group may be a short one.
  std::int64_t groups(std::int64_t k) const { return group == 0 ? 1 : (k + group - 1) / group; }
};

/// All words there are.
const std::vector<std::string>& recipe_names();
/// Usage error with the nearest word when `text` is none of them.
Recipe parse_recipe(std::string_view text);
std::string to_text(const Recipe& recipe);

}  // namespace bench::linear
