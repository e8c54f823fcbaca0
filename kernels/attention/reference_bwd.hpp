// SPDX-License-Identifier: Apache-2.0
// The fp64 oracle of attention's gradient.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/problem.hpp"

namespace bench::attention {

/// dq (B, H, rows, D), dk and dv (B, Hkv, rows, D) in fp64 at the chosen global positions, from whole fp64
/// inputs q and dout (B, H, L, D), k and v (B, Hkv, Lk, D). Every query row is visited however few positions
/// are chosen, since a key's gradient has a term from each row that sees it: 4 D operations a visible pair,
/// and 6 D more times the chosen part of the positions. Where Lk is not L, keys have no positions: dk and dv
/// (B, Hkv, Lk, D) come whole.
Tensors reference_bwd(const Problem& problem, const Tensors& inputs, std::span<const std::int64_t> rows);

}  // namespace bench::attention
