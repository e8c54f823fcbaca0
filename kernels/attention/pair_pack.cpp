// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/pair_pack.hpp"

#include <algorithm>

namespace bench::attention {
namespace {

using Word = std::uint32_t __attribute__((may_alias));

/// Words transposed at a time: their destination rows stay in L1.
constexpr std::int64_t kTransposeBlock = 16;

Word pair(Bf16 low, Bf16 high) {
  return static_cast<Word>(low.bits) | static_cast<Word>(high.bits) << 16;
}

/// Word d of a row of head elements.
Word word_of(const Bf16* row, std::int64_t d, std::int64_t head_dim) {
  return pair(row[2 * d], 2 * d + 1 < head_dim ? row[2 * d + 1] : Bf16{});
}

/// rows (count, D) -> (D pairs, stride), from column 0 on.
void transpose_pairs(const Bf16* rows, std::int64_t count, std::int64_t head_dim, std::int64_t stride,
                     float* packed) {
  const std::int64_t depth = (head_dim + 1) / 2;
  if (count < stride) std::fill_n(packed, depth * stride, 0.0F);
  for (std::int64_t first = 0; first < depth; first += kTransposeBlock) {
    const std::int64_t end = std::min(first + kTransposeBlock, depth);
    for (std::int64_t j = 0; j < count; ++j)
      for (std::int64_t d = first; d < end; ++d)
        reinterpret_cast<Word*>(packed)[d * stride + j] = word_of(rows + j * head_dim, d, head_dim);
  }
}

}  // namespace

void pack_key_pairs(const Bf16* k, std::int64_t keys, std::int64_t head_dim, float* packed) {
  const std::int64_t depth = (head_dim + 1) / 2;
  Word* const words = reinterpret_cast<Word*>(packed);
  for (std::int64_t j = 0; j < keys; ++j)
    for (std::int64_t d = 0; d < depth; ++d) words[j * depth + d] = word_of(k + j * head_dim, d, head_dim);
}

void pack_value_pairs(const Bf16* v, std::int64_t keys, std::int64_t head_dim, float* packed) {
  for (std::int64_t j = 0; j < keys; j += 2, packed += head_dim) {
    const Bf16* const row = v + j * head_dim;
    Word* const words = reinterpret_cast<Word*>(packed);
    if (j + 1 < keys)
      for (std::int64_t d = 0; d < head_dim; ++d) words[d] = pair(row[d], row[head_dim + d]);
    else
      for (std::int64_t d = 0; d < head_dim; ++d) words[d] = pair(row[d], Bf16{});
  }
}

void pack_query_pairs(const Bf16* q, std::int64_t rows, std::int64_t head_dim, std::int64_t strip_rows,
                      float* packed) {
  const std::int64_t depth = (head_dim + 1) / 2;
  for (std::int64_t first = 0; first < rows; first += strip_rows, packed += strip_rows * depth)
    transpose_pairs(q + first * head_dim, std::min(strip_rows, rows - first), head_dim, strip_rows, packed);
}

}  // namespace bench::attention
