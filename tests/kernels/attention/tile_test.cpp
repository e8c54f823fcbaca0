// SPDX-License-Identifier: Apache-2.0
// The block primitive on every engine that this processor can run (the dispatch would only ever pick the best
// one), keys handed over in uneven blocks, so that state is carried between them.
#include "kernels/attention/tile.hpp"
#include "kernels/isa.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>
#include <vector>

#include "kernels/attention/attention.hpp"
#include "kernels/attention/reference.hpp"
#include "kernels/attention/softmax_state.hpp"
#include "kernels/attention/tile_pack.hpp"
#include "kernels/tolerance.hpp"
#include "tests/support/run_case.hpp"

namespace bench::attention {
namespace {

struct Result {
  std::vector<double> out, lse;
};

/// One head, at most kQueryBlock rows at positions L - rows ..., causal, maybe in a window; keys arrive as
/// [0, cut) and [cut, L).
template <class T>
Result attend_in_two(const TileEngine<RealOf<T>>& engine, const AttentionProblem& p, const Tensors& inputs,
                     std::int64_t rows_wanted, std::int64_t cut) {
  using Real = RealOf<T>;
  Carver measure;
  const auto carve = [&](Carver& carver) {
    return std::tuple{RowScratch<Real>::carve(carver, p.head_dim),
                      StateArrays<Real>::carve(carver, kQueryBlock, p.head_dim),
                      PackedShare<Real>::carve(carver, 1, p.seq, p.head_dim, kReadInPlace<T>)};
  };
  carve(measure);
  Tensor memory(DType::f64, {measure.used_bytes() / 8});
  Carver carver({memory.data(), static_cast<std::size_t>(memory.bytes())});
  auto [scratch, state, share] = carve(carver);

  QueryRows<Real> rows = query_rows(scratch, state, 0, rows_wanted, p.head_dim, engine.rows);
  const std::int64_t first_row = p.seq - rows_wanted, padded = round_up(rows_wanted, engine.rows);
  rows.scale = pack_queries(inputs["q"].as<T>() + first_row * p.head_dim, rows_wanted, p.head_dim, engine,
                            p.scale() * kLog2E, scratch.q);
  rows.softcap = static_cast<Real>(p.softcap);
  clear_state(rows, padded, p.head_dim);
  const auto add = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = 0; r < padded; ++r) {
      const KeyRange keys = p.visible(0, first_row + std::min(r, rows_wanted - 1));
      scratch.visible[r] = std::clamp(keys.end - begin, std::int64_t{0}, end - begin);
      scratch.hidden[r] = std::max(keys.first - begin, std::int64_t{0});
    }
    rows.hidden = p.hides_first_keys() ? scratch.hidden : nullptr;
    const T *k = inputs["k"].as<T>() + begin * p.head_dim, *v = inputs["v"].as<T>() + begin * p.head_dim;
    pack_share<T>(share, k, v, 1, end - begin, p.head_dim, engine.pairs);
    attend_block(engine, rows, head_rows<T>(share, k, v, 0, end - begin, p.head_dim, engine.pairs),
                 p.head_dim, scratch.scores);
  };
  add(0, cut);
  add(cut, p.seq);

  Tensor out(p.dtype, {rows_wanted, p.head_dim}),
      lse(p.dtype == DType::f64 ? DType::f64 : DType::f32, {rows_wanted});
  finish_rows(rows, p.head_dim, out.as<T>(), lse.as<Real>());
  Result result;
  for (std::int64_t i = 0; i < out.count(); ++i) result.out.push_back(out.at(i));
  for (std::int64_t i = 0; i < lse.count(); ++i) result.lse.push_back(lse.at(i));
  return result;
}

struct Block {
  std::int64_t seq, head_dim, rows, cut;
};
constexpr Block kBlocks[] = {
    {1, 1, 1, 1},         // nothing but one pair; the second block is empty
    {50, 64, 50, 13},     // the first rows see nothing of the second block: masked rows in a live strip
    {500, 32, 96, 401},   // more than one key block, then one that every row sees partly
    {97, 20, 11, 96},     // a single key in the second block, seen by the last row only
    {430, 128, 29, 384},  // the cut on the key block
    {75, 33, 40, 38},     // an odd head dimension, and an odd number of keys in the second block
    {130, 8, 49, 129},    // a row beyond the widest strip, a key beyond the scores in flight
    {33, 256, 17, 16},    // a row beyond a vector; the largest head dimension
};

template <class T>
void check_engine(const TileEngine<RealOf<T>>& engine, DType dtype, std::int64_t window, std::int64_t softcap = 0) {
  const Op& op = support::find_op("attention");
  for (const Block& block : kBlocks) {
    AttentionProblem p;
    p.heads = p.kv_heads = 1;
    p.seq = block.seq;
    p.head_dim = block.head_dim;
    p.dtype = dtype;
    p.window = window;
    p.softcap = softcap;
    const Tensors inputs = support::make_inputs(op, p, 7);
    const Result got = attend_in_two<T>(engine, p, inputs, block.rows, block.cut);
    std::vector<std::int64_t> rows(static_cast<std::size_t>(block.rows));
    std::iota(rows.begin(), rows.end(), block.seq - block.rows);
    const Tensors want = reference(p, support::widen(inputs), rows);
    for (std::size_t i = 0; i < got.out.size(); ++i)
      ASSERT_NEAR(got.out[i], want["out"].at(static_cast<std::int64_t>(i)), 4.0 * op.tolerance(p, "out"))
          << engine.isa << " L " << block.seq << " window " << window << " cap " << softcap << " element "
          << i;  // 4: |out| of a N(0,1) tensor
    for (std::size_t i = 0; i < got.lse.size(); ++i)
      ASSERT_NEAR(got.lse[i], want["lse"].at(static_cast<std::int64_t>(i)), 8.0 * op.tolerance(p, "lse"))
          << engine.isa << " L " << block.seq << " window " << window << " cap " << softcap << " row " << i;
  }
}

/// No window; itself alone; edges in and over strips; key blocks left of it.
constexpr std::int64_t kWindows[] = {0, 1, 13, 90};

/// Capped scores, too: nearly all at the cap, and hardly any.
template <class T>
void check_all(const TileEngine<RealOf<T>>& engine, DType dtype) {
  for (const std::int64_t window : kWindows) check_engine<T>(engine, dtype, window);
  check_engine<T>(engine, dtype, 0, 50);
  check_engine<T>(engine, dtype, 13, 1);
}

template <class T>
void check_engines(DType dtype) {
  for (const auto& engine : tile_engines<RealOf<T>>()) check_all<T>(engine, dtype);
}

TEST(Tile, EveryEngineEqualsTheOracleInFp64) {
  check_engines<double>(DType::f64);
}
TEST(Tile, EveryEngineEqualsTheOracleInFp32) {
  check_engines<float>(DType::f32);
}
TEST(Tile, EveryEngineEqualsTheOracleInBf16) {
  check_engines<Bf16>(DType::bf16);
}
TEST(Tile, EveryEngineEqualsTheOracleInFp16) {
  check_engines<F16>(DType::f16);
}

TEST(Tile, TheEngineOfPairsEqualsTheOracle) {
  if (pair_engine() == nullptr) GTEST_SKIP() << "this processor does not multiply bf16 pairs";
  EXPECT_EQ(tile_engine_for<Bf16>().pairs, has_fast_bf16_dot());
  check_all<Bf16>(*pair_engine(), DType::bf16);
}

TEST(Tile, PlainEngineIsAlwaysThere) {
  EXPECT_EQ(tile_engines<float>().front().isa, "plain");
  EXPECT_EQ(tile_engines<double>().front().isa, "plain");
  EXPECT_EQ(tile_engine<float>().isa, tile_engines<float>().back().isa);
}

TEST(Tile, RowsThatNeverSeeAKeyComeOutEmpty) {
  constexpr std::int64_t kRows = 8, kDim = 16;
  std::vector<std::byte> memory(1 << 20);
  Carver carver(memory);
  const auto scratch = RowScratch<float>::carve(carver, kDim);
  const auto state = StateArrays<float>::carve(carver, kQueryBlock, kDim);
  const auto rows = query_rows(scratch, state, 0, kRows, kDim, kRows);
  clear_state(rows, kRows, kDim);
  float out[kRows * kDim], lse[kRows];
  finish_rows(rows, kDim, out, lse);
  for (const float x : out) EXPECT_EQ(x, 0.0F);
  for (const float x : lse) EXPECT_EQ(x, -std::numeric_limits<float>::infinity());
}

}  // namespace
}  // namespace bench::attention
