// SPDX-License-Identifier: Apache-2.0
// The arithmetic of the selective scan over one state, real or complex: how it decays, what goes in, what comes out, and what of a gradient goes back.
//
// Complex states stand for pairs of conjugate ones, of which one is kept: y = sum_n 2 Re(C h). The gradient of a complex number has for its parts the
// derivatives by its parts, as in recurrence_bwd.hpp (and in LibTorch): behind y = 2 Re(C h) that is 2 gy conj(C) for h; behind a product the other factor's conjugate;
// behind x B with a real x, Re(r conj(B)) for x.
#pragma once

#include <cmath>

#include "kernels/scan/recurrence_complex.hpp"

namespace bench::scan {

/// exp(d a).
template <std::floating_point S>
S decay_of(S d, S a) {
  return std::exp(d * a);
}
template <class S>
ComplexOf<S> decay_of(S d, ComplexOf<S> a) {
  const S size = std::exp(d * a.re), angle = d * a.im;
  return {size * std::cos(angle), size * std::sin(angle)};
}

/// x b of a real x.
template <std::floating_point S>
BS_HOST_DEVICE S scaled(S x, S b) {
  return x * b;
}
template <class S>
BS_HOST_DEVICE ComplexOf<S> scaled(S x, ComplexOf<S> b) {
  return {x * b.re, x * b.im};
}

/// What state h adds to y.
template <std::floating_point S>
BS_HOST_DEVICE S mixed_out(S c, S h) {
  return c * h;
}
template <class S>
BS_HOST_DEVICE S mixed_out(ComplexOf<S> c, ComplexOf<S> h) {
  return S{2} * (c.re * h.re - c.im * h.im);
}

/// Of a gradient gy by y, what mixed_out gives one of its factors, from the other one.
template <std::floating_point S>
BS_HOST_DEVICE S mixed_back(S gy, S other) {
  return gy * other;
}
template <class S>
BS_HOST_DEVICE ComplexOf<S> mixed_back(S gy, ComplexOf<S> other) {
  return {S{2} * gy * other.re, S{-2} * gy * other.im};
}

/// Re(r conj(b)): of a gradient r by x b, the real x's part.
template <std::floating_point S>
BS_HOST_DEVICE S inner(S r, S b) {
  return r * b;
}
template <class S>
BS_HOST_DEVICE S inner(ComplexOf<S> r, ComplexOf<S> b) {
  return r.re * b.re + r.im * b.im;
}

}  // namespace bench::scan
