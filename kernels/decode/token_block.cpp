// SPDX-License-Identifier: Apache-2.0
// The block primitive by instruction set and element type, and the choice among them.
#include "kernels/decode/token_block.hpp"

#include <atomic>
#include <vector>

#include "kernels/decode/token_block_body.hpp"

namespace bench::decode {
namespace {

template <class V, int G, class T>
BS_TARGET_AVX512 void score_avx512(const BlockArgs<T>& args, std::int64_t first) {
  score_pass<V, G>(args, first);
  BS_LEAVE_WIDE_VECTORS();
}
template <class V, class T>
BS_TARGET_AVX512 void weigh_avx512(const BlockArgs<T>& args, std::int64_t) {
  weigh_pass<V>(args);
  BS_LEAVE_WIDE_VECTORS();
}
template <class V, int G, class T>
BS_TARGET_AVX512 void add_avx512(const BlockArgs<T>& args, std::int64_t first) {
  add_pass<V, 16, G>(args, first);
  BS_LEAVE_WIDE_VECTORS();
}
template <class V, int G, class T>
BS_TARGET_AVX2 void score_avx2(const BlockArgs<T>& args, std::int64_t first) {
  score_pass<V, G>(args, first);
  BS_LEAVE_WIDE_VECTORS();
}
template <class V, class T>
BS_TARGET_AVX2 void weigh_avx2(const BlockArgs<T>& args, std::int64_t) {
  weigh_pass<V>(args);
  BS_LEAVE_WIDE_VECTORS();
}
template <class V, int G, class T>
BS_TARGET_AVX2 void add_avx2(const BlockArgs<T>& args, std::int64_t first) {
  add_pass<V, 8, G>(args, first);
  BS_LEAVE_WIDE_VECTORS();
}
template <class V, int G, class T>
void score_plain(const BlockArgs<T>& args, std::int64_t first) {
  score_pass<V, G>(args, first);
}
template <class V, class T>
void weigh_plain(const BlockArgs<T>& args, std::int64_t) {
  weigh_pass<V>(args);
}
template <class V, int G, class T>
void add_plain(const BlockArgs<T>& args, std::int64_t first) {
  add_pass<V, 8, G>(args, first);
}

template <class V, class T>
constexpr Passes<T> kAvx512{
    {score_avx512<V, 1, T>, score_avx512<V, 2, T>, score_avx512<V, 4, T>, score_avx512<V, 8, T>},
    weigh_avx512<V, T>,
    {add_avx512<V, 1, T>, add_avx512<V, 2, T>, add_avx512<V, 4, T>, add_avx512<V, 8, T>}};
template <class V, class T>
constexpr Passes<T> kAvx2{{score_avx2<V, 1, T>, score_avx2<V, 2, T>, score_avx2<V, 4, T>, nullptr},
                          weigh_avx2<V, T>,
                          {add_avx2<V, 1, T>, add_avx2<V, 2, T>, add_avx2<V, 4, T>, nullptr}};
template <class V, class T>
constexpr Passes<T> kPlain{{score_plain<V, 1, T>, score_plain<V, 2, T>, nullptr, nullptr},
                           weigh_plain<V, T>,
                           {add_plain<V, 1, T>, add_plain<V, 2, T>, nullptr, nullptr}};

std::vector<BlockEngine> find_engines() {
  using namespace simd;
  std::vector<BlockEngine> engines{
      {Isa::plain,
       kLanes<F32x4>,
       {kPlain<F64x2, double>, kPlain<F32x4, float>, kPlain<F32x4, Bf16>, kPlain<F32x4, F16>}}};
  if (has_isa(Isa::avx2))
    engines.push_back({Isa::avx2,
                       kLanes<F32x8>,
                       {kAvx2<F64x4, double>, kAvx2<F32x8, float>, kAvx2<F32x8, Bf16>, kAvx2<F32x8, F16>}});
  if (has_isa(Isa::avx512))
    engines.push_back(
        {Isa::avx512,
         kLanes<F32x16>,
         {kAvx512<F64x8, double>, kAvx512<F32x16, float>, kAvx512<F32x16, Bf16>, kAvx512<F32x16, F16>}});
  return engines;
}

/// Calls pass(args, first) for tiles of query heads, the largest first, until a group is covered.
template <class T>
void for_tiles(const std::array<Pass<T>, kTileSizes>& passes, const BlockArgs<T>& args) {
  std::int64_t first = 0;
  for (std::size_t size = kTileSizes; size-- > 0;)
    for (; passes[size] != nullptr && first + (std::int64_t{1} << size) <= args.group;
         first += std::int64_t{1} << size)
      passes[size](args, first);
}

std::atomic<const BlockEngine*> forced_engine{nullptr};

}  // namespace

std::span<const BlockEngine> block_engines() {
  static const std::vector<BlockEngine> engines = find_engines();
  return engines;
}

const BlockEngine& block_engine(std::int64_t head_dim) {
  if (const BlockEngine* forced = forced_engine.load()) return *forced;
  const auto engines = block_engines();
  for (std::size_t i = engines.size(); i > 0; --i)
    if (head_dim % engines[i - 1].lanes == 0) return engines[i - 1];
  return engines.back();
}

void force_block_engine(const BlockEngine* engine) {
  forced_engine.store(engine);
}

template <class T>
void attend_block(const BlockEngine& engine, const BlockArgs<T>& args) {
  const auto& passes = std::get<Passes<T>>(engine.passes);
  for_tiles(passes.score, args);
  passes.weigh(args, 0);
  for_tiles(passes.add, args);
}

template void attend_block(const BlockEngine&, const BlockArgs<double>&);
template void attend_block(const BlockEngine&, const BlockArgs<float>&);
template void attend_block(const BlockEngine&, const BlockArgs<Bf16>&);
template void attend_block(const BlockEngine&, const BlockArgs<F16>&);

}  // namespace bench::decode
