// SPDX-License-Identifier: Apache-2.0
// The engines by instruction set, one per tile_<isa>.cpp. Only tile.cpp uses them: it knows which ones this
// processor can run.
#pragma once

#include "kernels/attention/tile.hpp"

namespace bench::attention {

TileEngine<float> tile_float_plain();
TileEngine<double> tile_double_plain();
#if defined(__x86_64__)
TileEngine<float> tile_float_avx2();
TileEngine<double> tile_double_avx2();
TileEngine<float> tile_float_avx512();
TileEngine<double> tile_double_avx512();
TileEngine<float> tile_pairs_avx512();
#endif

}  // namespace bench::attention
