// SPDX-License-Identifier: Apache-2.0
// Powers of two on the FMA pipes, for a share of the selective scan's exponentials (after FlashAttention-4, which does so for softmax).
#pragma once

#include <cmath>

#include "kernels/cuda/function.hpp"

namespace bench::scan {

/// 2^x by Cody and Waite's split (1980) into a whole number, which goes into the exponent, and a rest of at most 1/2, for which a polynomial of degree 5
/// stands: that of kernels/simd_math.hpp, 1 at 0 exactly. 2e-7 relative on [-126, 127]; the result never leaves [2^-126, 2^127].
template <class M>
BS_DEVICE float exp2_by_polynomial(float x) {
  constexpr float kRounder = 0x1.8p23F;  // leaves round(x) in the low bits of a sum
  const float bounded = fminf(fmaxf(x, -126.0F), 127.0F), shifted = bounded + kRounder, f = bounded - (shifted - kRounder);
  float p = f * 0x1.5bba12p-10F + 0x1.3cea88p-7F;
  p = p * f + 0x1.c6b752p-5F;
  p = p * f + 0x1.ebf9bcp-3F;
  p = p * f + 0x1.62e42ap-1F;
  p = p * f + 1.0F;
  return M::number(M::word_of(p) + (M::word_of(shifted) << 23));
}

/// SelectiveWalk's Exp: every kOneOf-th by the polynomial, the others on the special function unit.
template <class M, int kOneOf>
struct SharedExp {
  BS_DEVICE static float of(int i, float x) { return i % kOneOf == 0 ? exp2_by_polynomial<M>(x) : M::exp2(x); }
};

}  // namespace bench::scan
