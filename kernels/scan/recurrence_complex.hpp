// SPDX-License-Identifier: Apache-2.0
// The numbers that recurrences are made of, real or complex, on the host and on a device. A complex element of a tensor is its two parts side by side.
#pragma once

#include <concepts>
#include <cstdint>

#include "kernels/cuda/function.hpp"
#include "src/core/dtype.hpp"
#include "src/core/tensor.hpp"

namespace bench::scan {

/// S: what the parts are stored as.
template <class S>
struct alignas(2 * sizeof(S)) ComplexOf {
  S re{}, im{};
};

template <std::floating_point S>
BS_HOST_DEVICE S conjugate(S x) {
  return x;
}
template <class S>
BS_HOST_DEVICE ComplexOf<S> conjugate(ComplexOf<S> x) {
  return {x.re, -x.im};
}
template <std::floating_point S>
BS_HOST_DEVICE S product(S x, S y) {
  return x * y;
}
template <class S>
BS_HOST_DEVICE ComplexOf<S> product(ComplexOf<S> x, ComplexOf<S> y) {
  return {x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re};
}
template <std::floating_point S>
BS_HOST_DEVICE S sum(S x, S y) {
  return x + y;
}
template <class S>
BS_HOST_DEVICE ComplexOf<S> sum(ComplexOf<S> x, ComplexOf<S> y) {
  return {x.re + y.re, x.im + y.im};
}

/// Widened to what states are kept in, and rounded to an element.
template <class T>
auto loaded(ComplexOf<T> x) {
  return ComplexOf<decltype(load(x.re))>{load(x.re), load(x.im)};
}
template <class T, class S>
ComplexOf<T> stored(ComplexOf<S> x) {
  return {store<T>(x.re), store<T>(x.im)};
}

template <class S>
inline constexpr bool kIsComplex = false;
template <class S>
inline constexpr bool kIsComplex<ComplexOf<S>> = true;

/// A tensor whose last axis are the two parts, as one of complex numbers; of a real one, plainly.
template <class N, int R>
View<N, R> numbers(Tensor& tensor) {
  if constexpr (kIsComplex<N>) {
    BS_REQUIRE(tensor.shape().size() == R + 1 && tensor.shape().back() == 2 && 2 * size_of(tensor.dtype()) == static_cast<std::int64_t>(sizeof(N)), "numbers: not a complex tensor");
    View<N, R> v{reinterpret_cast<N*>(tensor.data()), {}};
    for (std::size_t r = 0; r < R; ++r) v.extent[r] = tensor.shape()[r];
    return v;
  } else {
    return view<N, R>(tensor);
  }
}
template <class N, int R>
View<const N, R> numbers(const Tensor& tensor) {
  const auto v = numbers<N, R>(const_cast<Tensor&>(tensor));
  return {v.data, v.extent};
}

}  // namespace bench::scan
