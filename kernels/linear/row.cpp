// SPDX-License-Identifier: Apache-2.0
// Error: the mean and the variance are sums of K terms in 16 or fewer chains each, below 1e-7 sqrt(K) relative.
// sigmoid, tanh, silu: 3e-7 of the largest value; gelu 2e-7 of |x| (erf by Abramowitz and Stegun 7.1.26, 1.5e-7).
#include "kernels/linear/row.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/simd_math.hpp"

namespace bench::linear {
namespace {

template <class V>
BS_INLINE float sum_of_lanes(const V& v) {
  float sum = 0.0F;
  for (int i = 0; i < simd::kWidth<V>; ++i) sum += v[i];
  return sum;
}

/// Rows are read twice more from the first-level cache: the variance is that of x - mean, not a difference of squares.
template <class V>
BS_INLINE void normalise(float* x, std::int64_t k) {
  const auto count = static_cast<float>(k);
  V sums = {}, squares = {};
  for (std::int64_t i = 0; i < k; i += simd::kWidth<V>) sums += simd::load_some<V>(x + i, k - i);
  const float mean = sum_of_lanes<V>(sums) / count;
  for (std::int64_t i = 0; i < k; i += simd::kWidth<V>) {
    const V off = simd::load_some<V>(x + i, k - i) - mean;
    simd::store_some<V>(x + i, off, k - i);
    squares += simd::load_some<V>(x + i, k - i) * off;  // zero beyond the end of the row
  }
  const float scale = 1.0F / std::sqrt(sum_of_lanes<V>(squares) / count + static_cast<float>(kNormEpsilon));
  for (std::int64_t i = 0; i < k; i += simd::kWidth<V>)
    simd::store_some<V>(x + i, simd::load_some<V>(x + i, k - i) * scale, k - i);
}

template <class V, class T>
BS_INLINE void read(const ReadRowArgs& a) {
  const T* x = static_cast<const T*>(a.x);
  for (std::int64_t i = 0; i < a.k; i += simd::kWidth<V>)
    simd::store_some<V>(a.to + i, simd::load_some<V>(x + i, a.k - i), a.k - i);
  std::fill(a.to + a.k, a.to + a.depth, 0.0F);
  if (a.norm == Norm::layer) normalise<V>(a.to, a.k);
}

template <class V>
BS_INLINE V sigmoid(const V& x) {
  return 1.0F / (simd::exp<V>(-x) + 1.0F);
}

template <class V>
BS_INLINE V tanh(const V& x) {
  return sigmoid<V>(x + x) * 2.0F - 1.0F;
}

/// x (1 + erf(x / sqrt 2)) / 2.
template <class V>
BS_INLINE V gelu(const V& x) {
  const V z = (x < 0.0F ? -x : x) * 0.70710678F;
  const V t = 1.0F / (z * 0.3275911F + 1.0F);
  V p = t * 1.061405429F - 1.453152027F;
  p = p * t + 1.421413741F;
  p = p * t - 0.284496736F;
  p = (p * t + 0.254829592F) * t;
  const V tail = p * simd::exp<V>(-z * z) * 0.5F;  // of the normal distribution beyond |x|
  return x * (x < 0.0F ? tail : 1.0F - tail);
}

template <class V>
BS_INLINE V activate(Activation activation, const V& x) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::relu:
      return simd::at_least<V>(x, 0.0F);
    case Activation::leakyrelu:
      return x < 0.0F ? x * static_cast<float>(kLeak) : x;
    case Activation::relu6:
      return simd::at_most<V>(simd::at_least<V>(x, 0.0F), 6.0F);
    case Activation::sigmoid:
      return sigmoid<V>(x);
    case Activation::tanh:
      return tanh<V>(x);
    case Activation::silu:
      return simd::silu<V>(x);
    case Activation::gelu:
      return gelu<V>(x);
    case Activation::hardswish:
      return x * simd::at_most<V>(simd::at_least<V>(x + 3.0F, 0.0F), 6.0F) * (1.0F / 6.0F);
  }
  return x;
}

template <class V, class T>
BS_INLINE void finish(const FinishRowArgs& a) {
  const T* bias = static_cast<const T*>(a.bias);
  T* y = static_cast<T*>(a.y);
  for (std::int64_t i = 0; i < a.count; i += simd::kWidth<V>) {
    const std::int64_t left = a.count - i;
    V sum = simd::load_some<V>(a.sums + i, left);
    if (a.scale != nullptr) sum *= simd::load_some<V>(a.scale + i, left);
    simd::store_some<V>(y + i, activate<V>(a.activation, sum + simd::load_some<V>(bias + i, left)), left);
  }
}

template <class V>
BS_INLINE void read_any(const ReadRowArgs& a) {
  if (a.dtype == DType::f32) return read<V, float>(a);
  if (a.dtype == DType::bf16) return read<V, Bf16>(a);
  read<V, F16>(a);
}
template <class V>
BS_INLINE void finish_any(const FinishRowArgs& a) {
  if (a.dtype == DType::f32) return finish<V, float>(a);
  if (a.dtype == DType::bf16) return finish<V, Bf16>(a);
  finish<V, F16>(a);
}

BS_TARGET_AVX512 void read_avx512(const ReadRowArgs& args) {
  read_any<simd::F32x16>(args);
  BS_LEAVE_WIDE_VECTORS();
}
BS_TARGET_AVX2 void read_avx2(const ReadRowArgs& args) {
  read_any<simd::F32x8>(args);
  BS_LEAVE_WIDE_VECTORS();
}
BS_TARGET_AVX512 void finish_avx512(const FinishRowArgs& args) {
  finish_any<simd::F32x16>(args);
  BS_LEAVE_WIDE_VECTORS();
}
BS_TARGET_AVX2 void finish_avx2(const FinishRowArgs& args) {
  finish_any<simd::F32x8>(args);
  BS_LEAVE_WIDE_VECTORS();
}

}  // namespace

void read_row(Isa isa, const ReadRowArgs& args) {
  if (isa == Isa::avx512) return read_avx512(args);
  if (isa == Isa::avx2) return read_avx2(args);
  read_any<simd::F32x4>(args);
}

void finish_row(Isa isa, const FinishRowArgs& args) {
  if (isa == Isa::avx512) return finish_avx512(args);
  if (isa == Isa::avx2) return finish_avx2(args);
  finish_any<simd::F32x4>(args);
}

}  // namespace bench::linear
