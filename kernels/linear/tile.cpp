// SPDX-License-Identifier: Apache-2.0
// The engines by instruction set, and the choice among them. Tiles: AVX-512 has 32 registers for 8 x 3
// accumulators, AVX2 and SSE have 16 for 4 x 2, which leaves room to widen weights.
#include "kernels/linear/tile.hpp"

#include <atomic>
#include <bit>
#include <utility>
#include <vector>

#include "kernels/linear/tile_strip.hpp"

namespace bench::linear {
namespace {

template <WeightFormat kFormat, int kRows>
BS_TARGET_AVX512 void strip_avx512(const StripArgs& args) {
  strip<simd::F32x16, kFormat, kRows, 3>(args);
  BS_LEAVE_WIDE_VECTORS();
}
template <WeightFormat kFormat, int kRows>
BS_TARGET_AVX2 void strip_avx2(const StripArgs& args) {
  strip<simd::F32x8, kFormat, kRows, 2>(args);
  BS_LEAVE_WIDE_VECTORS();
}
template <WeightFormat kFormat, int kRows>
void strip_plain(const StripArgs& args) {
  strip<simd::F32x4, kFormat, kRows, 2>(args);
}

template <WeightFormat kFormat>
constexpr std::array<StripFunction, kStripSizes> kAvx512{strip_avx512<kFormat, 1>, strip_avx512<kFormat, 2>,
                                                         strip_avx512<kFormat, 4>, strip_avx512<kFormat, 8>};
template <WeightFormat kFormat>
constexpr std::array<StripFunction, kStripSizes> kAvx2{strip_avx2<kFormat, 1>, strip_avx2<kFormat, 2>,
                                                       strip_avx2<kFormat, 4>, nullptr};
template <WeightFormat kFormat>
constexpr std::array<StripFunction, kStripSizes> kPlain{strip_plain<kFormat, 1>, strip_plain<kFormat, 2>,
                                                        strip_plain<kFormat, 4>, nullptr};

std::vector<TileEngine> find_engines() {
  using F = WeightFormat;
  std::vector<TileEngine> engines{
      {Isa::plain,
       4,
       2 * 4,
       {kPlain<F::f32>, kPlain<F::bf16>, kPlain<F::f16>, kPlain<F::int8>, kPlain<F::int4>}}};
  if (has_isa(Isa::avx2))
    engines.push_back({Isa::avx2,
                       4,
                       2 * 8,
                       {kAvx2<F::f32>, kAvx2<F::bf16>, kAvx2<F::f16>, kAvx2<F::int8>, kAvx2<F::int4>}});
  if (has_isa(Isa::avx512))
    engines.push_back(
        {Isa::avx512,
         8,
         3 * 16,
         {kAvx512<F::f32>, kAvx512<F::bf16>, kAvx512<F::f16>, kAvx512<F::int8>, kAvx512<F::int4>}});
  return engines;
}

std::atomic<const TileEngine*> forced_engine{nullptr};

}  // namespace

void TileEngine::run(WeightFormat format, std::int64_t strip_rows, const StripArgs& args) const {
  const auto size = static_cast<std::size_t>(std::countr_zero(static_cast<std::uint64_t>(strip_rows)));
  strips[static_cast<std::size_t>(format)][size](args);
}

std::span<const TileEngine> tile_engines() {
  static const std::vector<TileEngine> engines = find_engines();
  return engines;
}

const TileEngine& tile_engine() {
  const TileEngine* forced = forced_engine.load();
  return forced != nullptr ? *forced : tile_engines().back();
}

void force_tile_engine(const TileEngine* engine) {
  forced_engine.store(engine);
}

}  // namespace bench::linear
