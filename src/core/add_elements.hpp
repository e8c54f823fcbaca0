// SPDX-License-Identifier: Apache-2.0
// Sums of elements that lie in plain bytes, as messages carry them.
#pragma once

#include <cstddef>
#include <span>

#include "src/core/dtype.hpp"

namespace bench {

/// into[i] = from[i] + into[i], each sum rounded to the type (16-bit types are added in fp32). Equal lengths, whole elements, aligned to them.
void add_elements(DType dtype, std::span<const std::byte> from, std::span<std::byte> into);

}  // namespace bench
