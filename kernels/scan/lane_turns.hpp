// SPDX-License-Identifier: Apache-2.0
// Decays of the selective scan for one lane of a device, fp32, real or complex: a power of two on the special function unit, and the sine and cosine of a turn on the
// FMA pipes.
#pragma once

#include <cmath>
#include <numbers>

#include "kernels/scan/lane_gates.hpp"
#include "kernels/scan/recurrence_number.hpp"
#include "kernels/scan/selective_number.hpp"

namespace bench::scan {

/// e^(2 pi i t). Angles in turns lose nothing by being reduced: t less the nearest whole number is exact, and so is four times that less the nearest whole
/// number, f, for whose quarter turn of at most pi/4 the series of sine and cosine stand to degree 9 and 8: 4e-8.
BS_DEVICE ComplexNumber turned(float t) {
  const float quarters = 4.0F * (t - rintf(t)), nearest = rintf(quarters), f = quarters - nearest, y = f * f;
  float s = y * 0.00016044118478735982F - 0.004681754135318688F;
  s = s * y + 0.07969262624616704F;
  s = s * y - 0.6459640975062463F;
  s = (s * y + 1.5707963267948966F) * f;
  float c = y * 0.0009192602748394265F - 0.020863480763352960F;
  c = c * y + 0.2536695079010480F;
  c = c * y - 1.2337005501361697F;
  c = c * y + 1.0F;
  const int quarter = static_cast<int>(nearest) & 3;
  const float re = quarter % 2 == 0 ? c : s, im = quarter % 2 == 0 ? s : c;
  return {quarter == 1 || quarter == 2 ? -re : re, quarter >= 2 ? -im : im};
}

/// What lane_decay<M>() takes of A: its real part over ln 2, its imaginary part in turns.
BS_DEVICE float as_exponent(float a) { return a * kLog2E; }
BS_DEVICE ComplexNumber as_exponent(ComplexNumber a) { return {a.re * kLog2E, a.im * (0.5F * std::numbers::inv_pi_v<float>)}; }
/// inner(r c, A) of such an A.
BS_DEVICE float inner_exponent(float x, float a) { return x * a * kLn2; }
BS_DEVICE float inner_exponent(ComplexNumber x, ComplexNumber a) { return x.re * a.re * kLn2 + x.im * a.im * (2.0F * std::numbers::pi_v<float>); }

/// exp(d A).
template <class M>
BS_DEVICE float lane_decay(float d, float a) {
  return M::exp2(d * a);
}
template <class M>
BS_DEVICE ComplexNumber lane_decay(float d, ComplexNumber a) {
  return scaled(M::exp2(d * a.re), turned(d * a.im));
}

}  // namespace bench::scan
