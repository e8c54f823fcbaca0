// SPDX-License-Identifier: Apache-2.0
// AVX-512, tiles as in tile_avx512.cpp, whose remark on the pragma holds here too.
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
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,prefer-vector-width=512")
#include "kernels/attention/grad_strip.hpp"

namespace bench::attention {

GradEngine<float> grad_float_avx512() {
  return {"avx512", 3 * 16, GradStrip<Core<float, 16>, 3, 8, 4, 6>::add};
}
GradEngine<double> grad_double_avx512() {
  return {"avx512", 3 * 8, GradStrip<Core<double, 8>, 3, 8, 4, 6>::add};
}

}  // namespace bench::attention
#endif
