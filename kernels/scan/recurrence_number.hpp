// SPDX-License-Identifier: Apache-2.0
// What a device's recurrence computes with: the maps h -> a h + b that steps, and runs of steps, are. They are put together with the earlier one on the left
// (Blelloch 1990).
//
// A decay of zero forgets whatever came before, infinite or not: that is how a packed sequence begins. And a run's product of decays may leave the range
// of fp32 where its states do not: times anything that is zero it is zero, too. Both by selection, as zero times infinity is NaN.
#pragma once

#include "kernels/cuda/function.hpp"
#include "kernels/scan/recurrence_complex.hpp"

namespace bench::scan {

using ComplexNumber = ComplexOf<float>;

BS_HOST_DEVICE bool is_zero(float x) { return x == 0.0F; }
BS_HOST_DEVICE bool is_zero(ComplexNumber x) { return x.re == 0.0F && x.im == 0.0F; }
BS_HOST_DEVICE bool is_number(float x) { return x == x; }
BS_HOST_DEVICE bool is_number(ComplexNumber x) { return x.re == x.re && x.im == x.im; }

template <class S>
BS_HOST_DEVICE S one() {
  if constexpr (kIsComplex<S>)
    return {1.0F, 0.0F};
  else
    return 1.0F;
}

/// One step: a h + b.
template <class S>
BS_HOST_DEVICE S step(S a, S h, S b) {
  return is_zero(a) ? b : sum(product(a, h), b);
}

/// x y, where x may be a product of decays.
template <class S>
BS_HOST_DEVICE S times(S x, S y) {
  const bool none = is_zero(x) || (is_zero(y) && is_number(x));
  return none ? S{} : product(x, y);
}

/// h -> a h + b.
template <class S>
struct StepMap {
  S a = one<S>(), b{};

  BS_HOST_DEVICE S operator()(S h) const { return sum(times(a, h), b); }
  /// This one after `earlier`.
  BS_HOST_DEVICE StepMap after(const StepMap& earlier) const { return {times(a, earlier.a), (*this)(earlier.b)}; }
};

/// A lane's number, or map, for all of the warp.
template <class M>
BS_DEVICE float shuffled(float x, int lane) {
  return M::shuffle(x, lane);
}
template <class M>
BS_DEVICE ComplexNumber shuffled(ComplexNumber x, int lane) {
  return {M::shuffle(x.re, lane), M::shuffle(x.im, lane)};
}
template <class M, class S>
BS_DEVICE StepMap<S> shuffled(const StepMap<S>& map, int lane) {
  return {shuffled<M>(map.a, lane), shuffled<M>(map.b, lane)};
}

/// Lane l's map after those of all lanes before it.
template <class M, class S>
BS_DEVICE StepMap<S> scanned_over_lanes(StepMap<S> map) {
  const int lane = M::thread() % 32;
  BS_UNROLL
  for (int lanes = 1; lanes < 32; lanes *= 2) {
    const StepMap<S> earlier = shuffled<M>(map, (lane - lanes) & 31);
    if (lane >= lanes) map = map.after(earlier);
  }
  return map;
}

}  // namespace bench::scan
