// SPDX-License-Identifier: Apache-2.0
// What a body written over vectors asks of them besides arithmetic, so that it also compiles for a plain double: a store past the
// caches and the sum of all lanes. Always inlined, for the instruction set of the caller.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/scan/row_output.hpp"
#include "kernels/simd_math.hpp"

namespace bench::scan {

/// What row_output.hpp has for vectors, for the plain twin in fp64.
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
