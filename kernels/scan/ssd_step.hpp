// SPDX-License-Identifier: Apache-2.0
// The step that dt makes in Mamba-2: softplus within limits ("dt_limit"), and its derivative, which is zero where a limit
// holds it.
#pragma once

#include <algorithm>
#include <limits>
#include <string>

#include "kernels/scan/selective_bwd.hpp"

namespace bench::scan {

template <class S>
struct StepLimits {
  S low = S{0}, high = std::numeric_limits<S>::infinity();

  bool limited() const { return low > S{0} || high < std::numeric_limits<S>::infinity(); }
  /// d of v = dt + dt_bias.
  S step(S v) const { return std::clamp(softplus(v), low, high); }
  /// The derivative of d by v.
  S slope(S v, S d) const { return low < d && d < high ? softplus_slope(v) : S{0}; }
  template <class Other>
  StepLimits<Other> as() const {
    return {static_cast<Other>(low), static_cast<Other>(high)};
  }
};

/// "low:high" with 0 <= low < high, which may be inf; throws a usage error naming dt_limit otherwise.
StepLimits<double> parse_step_limits(const std::string& text);

}  // namespace bench::scan
