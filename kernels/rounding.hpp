// SPDX-License-Identifier: Apache-2.0
// Whole pieces of an extent; neither argument is negative, the second is not 0.
#pragma once

#include <cstdint>

namespace bench {

/// So many pieces of `piece` cover `extent`.
constexpr std::int64_t ceil_div(std::int64_t extent, std::int64_t piece) {
  return (extent + piece - 1) / piece;
}

/// The least multiple of `multiple` that is not below `value`.
constexpr std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return ceil_div(value, multiple) * multiple;
}

}  // namespace bench
