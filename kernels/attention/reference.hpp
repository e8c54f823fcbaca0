// SPDX-License-Identifier: Apache-2.0
// The fp64 oracle of attention.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/problem.hpp"

namespace bench::attention {

/// out (B, H, rows, D) and lse (B, H, rows) in fp64 for the chosen query rows (global positions), from whole
/// fp64 inputs q (B, H, L, D), k and v (B, Hkv, Lk, D). Cost: rows * Lk * D per head, nothing blocked, nothing
/// shared. A problem whose pass is bwd is handed to reference_bwd.
Tensors reference(const Problem& problem, const Tensors& inputs, std::span<const std::int64_t> rows);

}  // namespace bench::attention
