// SPDX-License-Identifier: Apache-2.0
// The fp64 oracle of decode.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/problem.hpp"

namespace bench::decode {

/// out (rows, H, D) and lse (rows, H) in fp64 for the chosen sequences, from whole fp64 inputs q (B, H, D),
/// k_cache and v_cache (pages, page, Hkv, D). Nothing blocked, nothing shared between heads.
Tensors reference(const Problem& problem, const Tensors& inputs, std::span<const std::int64_t> rows);

}  // namespace bench::decode
