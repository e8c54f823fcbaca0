// SPDX-License-Identifier: Apache-2.0
// Could these values come from a normal distribution? Asked before an interval that supposes it is labelled
// valid. Times rarely pass with many samples; that is the point of asking.
#pragma once

#include <optional>
#include <span>

namespace bench::analysis {

struct ShapiroWilk {
  double w = 1.0;  // squared correlation of the ordered values with what a normal sample would show; <= 1
  double p = 1.0;  // P(W <= w) for a normal sample
};

/// Shapiro & Wilk (1965) with the weights and p values of Royston (1995, algorithm AS R94; without its
/// treatment of censored samples). The p is exact for n = 3, and good to about 0.001 above.
/// nullopt for n < 3 or n > 5000 (the fits end there), for equal values and for one that is not finite.
/// Order does not matter; no unit does.
std::optional<ShapiroWilk> shapiro_wilk(std::span<const double> values);

}  // namespace bench::analysis
