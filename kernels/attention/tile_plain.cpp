// SPDX-License-Identifier: Apache-2.0
// Whatever the compiler may assume without flags (SSE2 on x86-64, NEON on AArch64): 16-byte vectors, a 4 x 2
// tile.
#include "kernels/attention/tile_isa.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>

#include "kernels/attention/softmax_state.hpp"

#include "kernels/attention/tile_strip.hpp"

namespace bench::attention {

TileEngine<float> tile_float_plain() {
  return {"plain", 2 * 4, Strip<Core<float, 4>, 2, 4>::attend};
}
TileEngine<double> tile_double_plain() {
  return {"plain", 2 * 2, Strip<Core<double, 2>, 2, 4>::attend};
}

}  // namespace bench::attention
