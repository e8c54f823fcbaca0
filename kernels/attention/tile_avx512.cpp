// SPDX-License-Identifier: Apache-2.0
// AVX-512: 32 registers of 64 bytes hold an 8 x 3 tile (24), 3 vectors of rows and a broadcast. 24 chains
// cover 2 units x 4 cycles. The pragma covers this file's own functions only: everything shared is included
// above it, so no code that needs these instructions can be picked by the linker for a processor without
// them. tile.cpp asks the processor before it hands out the entry point.
#include "kernels/attention/tile_isa.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>

#include "kernels/attention/softmax_state.hpp"

#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,prefer-vector-width=512")
#include "kernels/attention/tile_strip.hpp"

namespace bench::attention {

TileEngine<float> tile_float_avx512() {
  return {"avx512", 3 * 16, Strip<Core<float, 16>, 3, 8>::attend};
}
TileEngine<double> tile_double_avx512() {
  return {"avx512", 3 * 8, Strip<Core<double, 8>, 3, 8>::attend};
}

}  // namespace bench::attention
#endif
