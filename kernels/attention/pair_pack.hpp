// SPDX-License-Identifier: Apache-2.0
// bf16 tensors in the layout of engines of pairs (tile.hpp): words of two bf16, the lower half first. What
// has no partner (the last of an odd number of head elements or keys) is paired with 0. Words travel as
// float: they take the place of fp32 elements in the same arrays.
#pragma once

#include <cstdint>

#include "src/core/dtype.hpp"

namespace bench::attention {

/// k (keys, D) -> (keys, D pairs).
void pack_key_pairs(const Bf16* k, std::int64_t keys, std::int64_t head_dim, float* packed);

/// v (keys, D) -> (key pairs, D).
void pack_value_pairs(const Bf16* v, std::int64_t keys, std::int64_t head_dim, float* packed);

/// q (rows, D) -> strips of (D pairs, strip_rows), not scaled; missing rows of the last strip become zeros.
void pack_query_pairs(const Bf16* q, std::int64_t rows, std::int64_t head_dim, std::int64_t strip_rows,
                      float* packed);

}  // namespace bench::attention
