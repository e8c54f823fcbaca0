// SPDX-License-Identifier: Apache-2.0
// Choice of the engine, and the loop over key blocks and strips around it.
#include "kernels/attention/tile.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "kernels/attention/tile_isa.hpp"
#include "kernels/isa.hpp"
#include "src/core/dtype.hpp"

namespace bench::attention {
namespace {

template <class Real>
TileEngine<Real> pick(TileEngine<float> (*in_float)(), TileEngine<double> (*in_double)()) {
  if constexpr (std::is_same_v<Real, float>) {
    return in_float();
  } else {
    return in_double();
  }
}

template <class Real>
std::vector<TileEngine<Real>> find_engines() {
  std::vector<TileEngine<Real>> engines{pick<Real>(tile_float_plain, tile_double_plain)};
#if defined(__x86_64__)
  if (has_isa(Isa::avx2)) engines.push_back(pick<Real>(tile_float_avx2, tile_double_avx2));
  if (has_isa(Isa::avx512)) engines.push_back(pick<Real>(tile_float_avx512, tile_double_avx512));
#endif
  return engines;
}

/// visible counts of a strip within the key block that starts at `first`; returns the largest.
std::int64_t clip_visible(const std::int64_t* visible, std::int64_t rows, std::int64_t first,
                          std::int64_t* clipped) {
  for (std::int64_t r = 0; r < rows; ++r)
    clipped[r] = std::clamp(visible[r] - first, std::int64_t{0}, kKeyBlock);
  return clipped[rows - 1];
}

/// hidden counts of a strip within the key block that starts at `first`; returns the smallest.
std::int64_t clip_hidden(const std::int64_t* hidden, std::int64_t rows, std::int64_t first,
                         std::int64_t* clipped) {
  for (std::int64_t r = 0; r < rows; ++r) clipped[r] = std::max(hidden[r] - first, std::int64_t{0});
  return clipped[0];
}

}  // namespace

template <class Real>
std::span<const TileEngine<Real>> tile_engines() {
  static const std::vector<TileEngine<Real>> engines = find_engines<Real>();
  return engines;
}

template <class Real>
const TileEngine<Real>& tile_engine() {
  return tile_engines<Real>().back();
}

const TileEngine<float>* pair_engine() {
#if defined(__x86_64__)
  static const TileEngine<float> engine = tile_pairs_avx512();
  if (has_bf16_dot()) return &engine;
#endif
  return nullptr;
}

template <class T>
const TileEngine<RealOf<T>>& tile_engine_for() {
  if constexpr (std::is_same_v<T, Bf16>) {
    if (has_fast_bf16_dot()) return *pair_engine();
  }
  return tile_engine<RealOf<T>>();
}

template <class Real>
void attend_block(const TileEngine<Real>& engine, const QueryRows<Real>& rows, const KvRows<Real>& kv,
                  std::int64_t head_dim, Real* scores) {
  const std::int64_t padded_rows = round_up(rows.rows, engine.rows);
  if (padded_rows == 0) return;
  const std::int64_t keys = std::min(kv.keys, rows.visible[padded_rows - 1]);
  std::array<std::int64_t, kMaxStripRows> clipped{}, hidden{};
  const std::int64_t begin = rows.hidden != nullptr ? rows.hidden[0] / kKeyBlock * kKeyBlock : 0;
  StripArgs<Real> args{};
  args.k_stride = kv.k_stride;
  args.v_stride = kv.v_stride;
  args.depth = engine.depth(head_dim);
  args.head_dim = head_dim;
  args.scale = rows.scale;
  args.softcap = rows.softcap;
  args.visible = clipped.data();
  args.hidden = rows.hidden != nullptr ? hidden.data() : nullptr;
  args.scores = scores;
  for (std::int64_t first = begin; first < keys; first += kKeyBlock) {
    args.k = kv.k + first * kv.k_stride;
    args.v = kv.v + engine.value_rows(first) * kv.v_stride;
    for (std::int64_t r = 0; r < padded_rows; r += engine.rows) {
      if (clip_visible(rows.visible + r, engine.rows, first, clipped.data()) == 0) continue;
      if (rows.hidden != nullptr &&
          clip_hidden(rows.hidden + r, engine.rows, first, hidden.data()) >= kKeyBlock)
        continue;
      args.rows = std::min(engine.rows, rows.rows - r);
      args.q = rows.q + r * args.depth;
      args.max = rows.max + r;
      args.sum = rows.sum + r;
      args.acc = rows.acc + r * round_up(head_dim, kMaxLanes);
      engine.attend_strip(args);
    }
  }
}

template std::span<const TileEngine<float>> tile_engines();
template std::span<const TileEngine<double>> tile_engines();
template const TileEngine<double>& tile_engine_for<double>();
template const TileEngine<float>& tile_engine_for<float>();
template const TileEngine<float>& tile_engine_for<Bf16>();
template const TileEngine<float>& tile_engine_for<F16>();
template const TileEngine<float>& tile_engine();
template const TileEngine<double>& tile_engine();
template void attend_block(const TileEngine<float>&, const QueryRows<float>&, const KvRows<float>&,
                           std::int64_t, float*);
template void attend_block(const TileEngine<double>&, const QueryRows<double>&, const KvRows<double>&,
                           std::int64_t, double*);

}  // namespace bench::attention
