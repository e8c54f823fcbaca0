// SPDX-License-Identifier: Apache-2.0
// (rows, columns) -> (columns, rows) between tensors and strips. fp32 to fp32 goes through 4 x 4 blocks in
// registers of 16 bytes, which every processor has; all else an element at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "src/core/dtype.hpp"

namespace bench::attention {

using Quad = float __attribute__((vector_size(16)));
using QuadIndex = std::int32_t __attribute__((vector_size(16)));

/// One 4 x 4 block; row c of the result is multiplied by factor[c * factor_step].
inline void transpose_quad(const float* from, std::int64_t from_stride, const float* factor, int factor_step,
                           float* to, std::int64_t to_stride) {
  Quad a, b, c, d;
  std::memcpy(&a, from, sizeof(a));
  std::memcpy(&b, from + from_stride, sizeof(b));
  std::memcpy(&c, from + 2 * from_stride, sizeof(c));
  std::memcpy(&d, from + 3 * from_stride, sizeof(d));
  const Quad ab_low = __builtin_shuffle(a, b, QuadIndex{0, 4, 1, 5}),
             cd_low = __builtin_shuffle(c, d, QuadIndex{0, 4, 1, 5});
  const Quad ab_high = __builtin_shuffle(a, b, QuadIndex{2, 6, 3, 7}),
             cd_high = __builtin_shuffle(c, d, QuadIndex{2, 6, 3, 7});
  const Quad rows[4] = {__builtin_shuffle(ab_low, cd_low, QuadIndex{0, 1, 4, 5}),
                        __builtin_shuffle(ab_low, cd_low, QuadIndex{2, 3, 6, 7}),
                        __builtin_shuffle(ab_high, cd_high, QuadIndex{0, 1, 4, 5}),
                        __builtin_shuffle(ab_high, cd_high, QuadIndex{2, 3, 6, 7})};
  for (int i = 0; i < 4; ++i) {
    const Quad row = rows[i] * factor[i * factor_step];
    std::memcpy(to + i * to_stride, &row, sizeof(row));
  }
}

/// to[c * to_stride + r] = from[r * from_stride + c] * factor[c * factor_step], in Real. factor_step: 0 or 1.
/// The side with the longer rows, which is the tensor (the other is a strip in cache), is walked in its own
/// order.
template <class From, class To, class Real>
void transpose(const From* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns,
               const Real* factor, int factor_step, To* to, std::int64_t to_stride) {
  constexpr bool kQuads = std::is_same_v<From, float> && std::is_same_v<To, float>;
  const std::int64_t quad_rows = kQuads ? rows / 4 * 4 : 0, quad_columns = kQuads ? columns / 4 * 4 : 0;
  if constexpr (kQuads) {
    const auto quad = [&](std::int64_t r, std::int64_t c) {
      transpose_quad(from + r * from_stride + c, from_stride, factor + c * factor_step, factor_step,
                     to + c * to_stride + r, to_stride);
    };
    if (rows < columns) {
      for (std::int64_t r = 0; r < quad_rows; r += 4)
        for (std::int64_t c = 0; c < quad_columns; c += 4) quad(r, c);
    } else {
      for (std::int64_t c = 0; c < quad_columns; c += 4)
        for (std::int64_t r = 0; r < quad_rows; r += 4) quad(r, c);
    }
  }
  for (std::int64_t c = 0; c < columns; ++c)
    for (std::int64_t r = c < quad_columns ? quad_rows : 0; r < rows; ++r)
      to[c * to_stride + r] =
          store<To>(static_cast<Real>(load(from[r * from_stride + c])) * factor[c * factor_step]);
}

}  // namespace bench::attention
