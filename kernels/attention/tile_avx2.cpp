// SPDX-License-Identifier: Apache-2.0
// AVX2 with FMA: 16 registers of 32 bytes hold a 4 x 3 tile (12), 3 vectors of rows and a broadcast.
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
  return {"avx2", 3 * 8, Strip<Core<float, 8>, 3, 4>::attend};
}
TileEngine<double> tile_double_avx2() {
  return {"avx2", 3 * 4, Strip<Core<double, 4>, 3, 4>::attend};
}

}  // namespace bench::attention
#endif
