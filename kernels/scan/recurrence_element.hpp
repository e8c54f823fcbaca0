// SPDX-License-Identifier: Apache-2.0
// Elements of a recurrence's tensors in a device's memory, as numbers: 16 bytes of neighbours at a time, or what one lane takes of a row of channels.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/scan/recurrence_number.hpp"
#include "src/core/dtype.hpp"

namespace bench::scan {

/// T: float, Bf16, F16, or ComplexNumber for pairs of fp32.
template <class T>
struct Element {
  using Number = std::conditional_t<std::is_same_v<T, ComplexNumber>, ComplexNumber, float>;
  static constexpr int kBytes = static_cast<int>(sizeof(T));
  static constexpr int kEach = 16 / kBytes;  // in 16 bytes

  static BS_HOST_DEVICE T unit() {
    if constexpr (std::is_same_v<T, ComplexNumber>) return {1.0F, 0.0F};
    if constexpr (std::is_same_v<T, float>) return 1.0F;
    if constexpr (kBytes == 2) return T{static_cast<std::uint16_t>(std::is_same_v<T, Bf16> ? 0x3f80 : 0x3c00)};
  }

  /// One by one: for what lies at an edge.
  template <class M>
  static BS_DEVICE Number widen(T x) {
    if constexpr (kBytes == 2)
      return M::template low<T>(x.bits);
    else
      return x;
  }
  template <class M>
  static BS_DEVICE T narrow(Number x) {
    if constexpr (std::is_same_v<T, ComplexNumber>)
      return x;
    else
      return M::template round<T>(x);
  }

  /// The i-th of 16 bytes.
  template <class M>
  static BS_DEVICE Number get(const typename M::Words& words, int i) {
    if constexpr (kBytes == 8) return {M::number(words.word[2 * i]), M::number(words.word[2 * i + 1])};
    if constexpr (kBytes == 4) return M::number(words.word[i]);
    if constexpr (kBytes == 2) return i % 2 == 0 ? M::template low<T>(words.word[i / 2]) : M::template high<T>(words.word[i / 2]);
  }
  template <class M>
  static BS_DEVICE void put(typename M::Words& words, int i, T x) {
    if constexpr (kBytes == 8) {
      words.word[2 * i] = M::word_of(x.re);
      words.word[2 * i + 1] = M::word_of(x.im);
    } else if constexpr (kBytes == 4) {
      words.word[i] = M::word_of(x);
    } else {
      const std::uint32_t kept = words.word[i / 2] & (i % 2 == 0 ? 0xffff0000U : 0xffffU);
      words.word[i / 2] = kept | static_cast<std::uint32_t>(x.bits) << (i % 2 * 16);
    }
  }
  template <class M>
  static BS_DEVICE T take(const typename M::Words& words, int i) {
    if constexpr (kBytes == 8) return {M::number(words.word[2 * i]), M::number(words.word[2 * i + 1])};
    if constexpr (kBytes == 4) return M::number(words.word[i]);
    if constexpr (kBytes == 2) return T{static_cast<std::uint16_t>(words.word[i / 2] >> (i % 2 * 16))};
  }
  template <class M>
  static BS_DEVICE typename M::Words pack(const Number (&x)[kEach]) {
    typename M::Words words;
    BS_UNROLL
    for (int i = 0; i < 4; ++i) {
      if constexpr (kBytes == 8) words.word[i] = M::word_of(i % 2 == 0 ? x[i / 2].re : x[i / 2].im);
      if constexpr (kBytes == 4) words.word[i] = M::word_of(x[i]);
      if constexpr (kBytes == 2) words.word[i] = M::template pack<T>(x[2 * i], x[2 * i + 1]);
    }
    return words;
  }
};

/// kWidth neighbouring channels, which a lane reads at once: one, or two of 16 bits.
template <class T, int kWidth>
struct Neighbours {
  static_assert(kWidth == 1 || (kWidth == 2 && sizeof(T) == 2));
  using Number = typename Element<T>::Number;
  struct alignas(sizeof(T) * kWidth) Raw {
    T of[kWidth];
  };
  static BS_DEVICE Raw all(T x) {
    Raw raw;
    BS_UNROLL
    for (int w = 0; w < kWidth; ++w) raw.of[w] = x;
    return raw;
  }
  template <class M>
  static BS_DEVICE Raw pack(const Number (&x)[kWidth]) {
    Raw raw;
    BS_UNROLL
    for (int w = 0; w < kWidth; ++w) raw.of[w] = Element<T>::template narrow<M>(x[w]);
    return raw;
  }
};

}  // namespace bench::scan
