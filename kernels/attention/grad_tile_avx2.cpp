// SPDX-License-Identifier: Apache-2.0
// AVX2 with FMA, tiles as in tile_avx2.cpp, whose remark on the pragma holds here too.
#include "kernels/attention/grad_tile.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <numeric>

#include "kernels/attention/softmax_state.hpp"

#if defined(__x86_64__)
#pragma GCC target("avx2,fma")
#include "kernels/attention/grad_strip.hpp"

namespace bench::attention {

GradEngine<float> grad_float_avx2() {
  return {"avx2", 3 * 8, GradStrip<Core<float, 8>, 3, 4, 2, 6>::add};
}
GradEngine<double> grad_double_avx2() {
  return {"avx2", 3 * 4, GradStrip<Core<double, 4>, 3, 4, 2, 6>::add};
}

}  // namespace bench::attention
#endif
