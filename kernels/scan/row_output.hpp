// SPDX-License-Identifier: Apache-2.0
// Writing rows of outputs: rounded to their type, and past the caches where they are large. Always inlined,
// for the instruction set of the caller.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/scan/scan.hpp"
#include "kernels/simd_math.hpp"

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace bench::scan {

inline constexpr std::int64_t kStreamBytes = 16;  // one non-temporal store, SSE2: every x86-64 has it

/// The state row rounded to the output's type.
template <class V, class T>
BS_INLINE void round_row(const StateOf<T>* state, T* out, std::int64_t channels) {
  std::int64_t c = 0;
  if constexpr (!std::is_same_v<T, double>) {
    for (; c + simd::kWidth<V> <= channels; c += simd::kWidth<V>)
      simd::store<V>(out + c, simd::load<V>(state + c));
  }
  for (; c < channels; ++c) out[c] = store<T>(state[c]);
}

/// One whole vector past the caches; `out` is a multiple of its size. Stores of a whole line write 8 to 30 % more a second than
/// SSE2's, on one core of an Intel server (family 6, model 207).
template <class V>
BS_INLINE void stream_vector(float* out, const V& v) {
#if defined(__x86_64__)
  if constexpr (sizeof(V) > 16) {
    __asm__("vmovntps %1, %0" : "=m"(*reinterpret_cast<V*>(out)) : "v"(v));
  } else {
    __asm__("movntps %1, %0" : "=m"(*reinterpret_cast<V*>(out)) : "x"(v));
  }
#else
  simd::store<V>(out, v);
#endif
}

/// Copies a row that lies in L1 to memory without reading or keeping the line there. `bytes` and `out` are
/// multiples of kStreamBytes; the widest stores are taken where they are multiples of a vector.
template <class V>
BS_INLINE void stream_row(const void* row, void* out, std::int64_t bytes) {
  constexpr std::int64_t kSize = sizeof(V);
  if (bytes % kSize == 0 && reinterpret_cast<std::uintptr_t>(out) % sizeof(V) == 0) {
    const auto* from = static_cast<const float*>(row);
    auto* to = static_cast<float*>(out);
    for (std::int64_t i = 0; i < bytes / kSize * simd::kWidth<V>; i += simd::kWidth<V>)
      stream_vector<V>(to + i, simd::load<V>(from + i));
    return;
  }
#if defined(__x86_64__)
  const auto* from = static_cast<const __m128i*>(row);
  auto* to = static_cast<__m128i*>(out);
  for (std::int64_t i = 0; i < bytes / kStreamBytes; ++i) _mm_stream_si128(to + i, _mm_loadu_si128(from + i));
#else
  std::memcpy(out, row, static_cast<std::size_t>(bytes));
#endif
}

/// True when all rows, `stride` elements apart and whole vectors long, can be written so.
template <class V>
BS_INLINE bool rows_on_vectors(const void* out, std::int64_t stride, std::int64_t channels) {
  return reinterpret_cast<std::uintptr_t>(out) % sizeof(V) == 0 && stride % simd::kWidth<V> == 0 &&
         channels % simd::kWidth<V> == 0;
}

/// Non-temporal stores are weakly ordered, and another thread may read the rows next: call this after the
/// last.
inline void end_streams() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

}  // namespace bench::scan
