// SPDX-License-Identifier: Apache-2.0
// Two things that whole vectors can and the plain vector extension has no name for: a store past the caches
// and the sum of all lanes. Always inlined, for the instruction set of the caller.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/simd_math.hpp"

namespace bench::scan {

/// A whole vector past the caches; `to` is aligned to the vector's size. end_streams (row_output.hpp) after
/// the last.
template <class V>
BS_INLINE void stream_vector(float* to, const V& v) {
#if defined(__x86_64__)
  // The intrinsics need their instruction set where they are written, which is before the caller is known.
  V* const whole = reinterpret_cast<V*>(to);
  if constexpr (sizeof(V) == 16)
    __asm__("movntps %1, %0" : "=m"(*whole) : "x"(v));
  else
    __asm__("vmovntps %1, %0" : "=m"(*whole) : "v"(v));
#else
  std::memcpy(to, &v, sizeof v);
#endif
}
inline void stream_vector(double* to, double v) {
  *to = v;
}

/// All lanes together, by halves: the order does not depend on what surrounds it.
BS_INLINE float sum_vector(const simd::F32x4& v) {
  return (v[0] + v[2]) + (v[1] + v[3]);
}
BS_INLINE float sum_vector(const simd::F32x8& v) {
  simd::F32x4 halves[2];
  std::memcpy(halves, &v, sizeof v);
  return sum_vector(halves[0] + halves[1]);
}
BS_INLINE float sum_vector(const simd::F32x16& v) {
  simd::F32x8 halves[2];
  std::memcpy(halves, &v, sizeof v);
  return sum_vector(halves[0] + halves[1]);
}
inline double sum_vector(double v) {
  return v;
}

}  // namespace bench::scan
