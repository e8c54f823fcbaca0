// SPDX-License-Identifier: Apache-2.0
// Sums over all steps in a device's registers, which plain additions would take three digits from.
#pragma once

#include "kernels/cuda/function.hpp"

namespace bench::scan {

/// A sum of many parts (Kahan 1965).
struct CarefulSum {
  float sum = 0.0F, lost = 0.0F;
  BS_DEVICE void add(float x) {
    const float more = x - lost, now = sum + more;
    lost = (now - sum) - more;
    sum = now;
  }
};

}  // namespace bench::scan
