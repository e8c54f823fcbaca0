// SPDX-License-Identifier: Apache-2.0
// AVX2 with FMA: 16 registers of 32 bytes hold a 6 x 2 tile (12), 2 vectors of keys and a broadcast.
// The pragma covers this file's own functions only: everything shared is included above it, so no code that
// needs these instructions can be picked by the linker for a processor without them. tile.cpp asks the
// processor before it hands out the entry point.
#include "kernels/attention/tile_isa.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>

#include "kernels/attention/softmax_state.hpp"

#if defined(__x86_64__)
#pragma GCC target("avx2,fma")
#include "kernels/attention/tile_strip.hpp"

namespace bench::attention {

TileEngine<float> tile_float_avx2() {
  return {"avx2", 6, 2 * 8, Strip<float, 8, 6, 2>::attend};
}
TileEngine<double> tile_double_avx2() {
  return {"avx2", 6, 2 * 4, Strip<double, 4, 6, 2>::attend};
}

}  // namespace bench::attention
#endif
