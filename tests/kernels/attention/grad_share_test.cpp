// SPDX-License-Identifier: Apache-2.0
// The backward pass over packed shares on every engine that this processor can run (the dispatch would only
// ever pick the best one), keys handed over in two uneven shares, so that dQ is carried between them.
#include "kernels/attention/grad_share.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "kernels/attention/attention.hpp"
#include "kernels/attention/flash_tiled_bwd_cpu.hpp"
#include "tests/support/run_case.hpp"

namespace bench::attention {
namespace {

struct Shares {
  std::int64_t seq, head_dim, cut;
  std::int64_t window = 0, keys = 0, softcap = 0;  // 0: no window, no padding, scores as they are
};
constexpr Shares kShares[] = {
    {1, 1, 1},        // nothing but one pair; the second share is empty
    {50, 64, 13},     // the first rows see nothing of the second share: masked rows in a live strip
    {250, 32, 201},   // more than one key block and two query blocks, then a share that some rows see partly
    {97, 20, 96},     // a single key in the second share, seen by the last row only; D not whole vectors
    {49, 128, 7},     // a row beyond the widest strip; keys that end within tiles of both kinds
    {200, 9, 193},    // a key beyond the key block; D one beyond a tile
    {50, 16, 13, 1},  // each row sees itself
    {60, 16, 30, 7},  // windows end and begin around tiles of 4, 6 and 8 keys
    {60, 16, 30, 8},
    {60, 16, 30, 9},
    {120, 16, 50, 47},  // around the widest strip
    {120, 16, 50, 48},
    {120, 16, 50, 49},
    {420, 16, 200, 191},  // around a key block
    {420, 16, 200, 192},
    {420, 16, 200, 193},
    {420, 16, 400, 20},   // blocks of keys and of rows that never meet
    {60, 16, 50, 0, 23},  // padding from within a tile on, from its end on, a key later
    {60, 16, 50, 0, 24},
    {60, 16, 50, 0, 25},
    {200, 16, 50, 0, 191},  // likewise of a key block
    {200, 16, 50, 0, 192},
    {200, 16, 50, 0, 193},
    {200, 16, 120, 30, 97},  // rows that see nothing, in a live strip and whole blocks of them
    {60, 16, 30, 9, 1},      // a single key
    {250, 32, 201, 0, 0, 50},   // hardly any score at the cap
    {200, 16, 120, 30, 97, 1},  // nearly all, in tiles with edges on both sides
};

Tensor zeros(DType dtype, Shape shape) {
  Tensor tensor(dtype, std::move(shape));
  for (std::int64_t i = 0; i < tensor.count(); ++i) tensor.set(i, 0.0);
  return tensor;
}

/// Rounds what the forward oracle leaves to the dtypes in which a forward pass leaves it.
void add_forward(const Op& op, const AttentionProblem& p, std::span<const std::int64_t> rows,
                 Tensors& tensors) {
  AttentionProblem forward = p;
  forward.pass = "fwd";
  const Tensors results = op.reference(forward, support::widen(tensors), rows);
  for (const TensorSpec& spec : forward_results(p)) {
    Tensor& tensor = tensors.add(spec.name, Tensor(spec.dtype, spec.shape));
    for (std::int64_t i = 0; i < tensor.count(); ++i) tensor.set(i, results[spec.name].at(i));
  }
}

/// One key/value head, two query heads; keys arrive as [0, cut) and [cut, L).
template <class T>
Tensors backward_in_two(const GradEngine<RealOf<T>>& engine, const AttentionProblem& p, Tensors& tensors,
                        std::int64_t cut) {
  using Real = RealOf<T>;
  const GradShape shape = grad_shape(p, p.seq);
  Carver measure;
  GradWorkspace<Real>::carve(measure, shape, p.seq, kReadInPlace<T>);
  Tensor memory(DType::f64, {measure.used_bytes() / 8});
  Carver carver({memory.data(), static_cast<std::size_t>(memory.bytes())});
  auto work = GradWorkspace<Real>::carve(carver, shape, p.seq, kReadInPlace<T>);
  work.engine = &engine;

  Tensors results;
  results.add("dq", zeros(p.dtype, {1, p.heads, p.seq, p.head_dim}));
  for (const char* name : {"dk", "dv"}) results.add(name, zeros(p.dtype, {1, 1, p.seq, p.head_dim}));
  begin_rows(work, shape, grad_rows<T>(tensors));
  const auto add = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = 0; r < work.row_stride; ++r) {
      const KeyRange keys = p.visible(0, r);
      work.visible[r] = std::clamp(keys.end - begin, std::int64_t{0}, end - begin);
      if (p.window > 0) work.hidden[r] = std::clamp(keys.first - begin, std::int64_t{0}, end - begin);
    }
    const std::int64_t at = begin * p.head_dim;
    add_share<T>(work, shape, tensors["k"].as<T>() + at, tensors["v"].as<T>() + at, end - begin,
                 results["dk"].as<T>() + at, results["dv"].as<T>() + at, nullptr);
  };
  add(0, cut);
  add(cut, p.seq);
  finish_dq(work, shape, results["dq"].as<T>());
  return results;
}

AttentionProblem problem_of(const Shares& shares, DType dtype, bool causal) {
  AttentionProblem p;
  p.heads = 2;
  p.kv_heads = 1;
  p.seq = shares.seq;
  p.head_dim = shares.head_dim;
  p.causal = causal;
  p.window = shares.window;
  if (shares.keys > 0) p.key_lengths = {shares.keys};
  p.softcap = shares.softcap;
  p.dtype = dtype;
  p.pass = "bwd";
  return p;
}

template <class T>
void check_engine(const GradEngine<RealOf<T>>& engine, const Shares& shares, DType dtype, bool causal) {
  const Op& op = support::find_op("attention");
  const AttentionProblem p = problem_of(shares, dtype, causal);
  SCOPED_TRACE(concat(engine.isa, " ", bench::to_text(dtype), causal ? " causal" : " full", " L ", p.seq,
                      " D ", p.head_dim, " window ", p.window, " keys ", shares.keys, " cap ", p.softcap));
  std::vector<std::int64_t> rows(static_cast<std::size_t>(p.seq));
  std::iota(rows.begin(), rows.end(), std::int64_t{0});
  Tensors tensors = support::make_inputs(op, p, 2);
  add_forward(op, p, rows, tensors);
  const Tensors results = backward_in_two<T>(engine, p, tensors, shares.cut);
  const Kernel all_outputs;
  for (const auto& e : support::compare(all_outputs, op, p, tensors, results))
    EXPECT_LE(e.error, e.tolerance) << e.text();
}

template <class T>
void check_engine(const GradEngine<RealOf<T>>& engine, DType dtype) {
  for (const Shares& shares : kShares)
    for (const bool causal : {true, false}) check_engine<T>(engine, shares, dtype, causal);
}

TEST(GradShare, EqualsTheOracleOnEveryEngine) {
  for (const auto& engine : grad_engines<double>()) check_engine<double>(engine, DType::f64);
  for (const auto& engine : grad_engines<float>()) {
    check_engine<float>(engine, DType::f32);
    check_engine<Bf16>(engine, DType::bf16);
    check_engine<F16>(engine, DType::f16);
  }
}

TEST(GradShare, TilesDivideTheBlocks) {
  for (const auto& engine : grad_engines<float>()) {
    EXPECT_EQ(kGradRowBlock % engine.rows, 0) << engine.isa;
    EXPECT_EQ(kStripMultiple % engine.rows, 0) << engine.isa;
  }
  EXPECT_EQ(grad_engines<float>().front().isa, "plain");
}

// The sums of a share that no row sees are zero, not what the memory held.
TEST(GradShare, AnUnseenShareLeavesZeros) {
  const Op& op = support::find_op("attention");
  AttentionProblem p;
  p.heads = p.kv_heads = 1;
  p.seq = 5;
  p.head_dim = 8;
  p.pass = "bwd";
  Tensors tensors = support::make_inputs(op, p, 2);
  const std::vector<std::int64_t> rows{0, 1, 2, 3, 4};
  add_forward(op, p, rows, tensors);
  Tensor sums = zeros(DType::f32, {2, 5, 8});
  for (std::int64_t i = 0; i < sums.count(); ++i) sums.set(i, 7.0);
  const GradShape shape = grad_shape(p, p.seq);
  Carver measure;
  GradWorkspace<float>::carve(measure, shape, p.seq, false);
  Tensor memory(DType::f64, {measure.used_bytes() / 8});
  Carver carver({memory.data(), static_cast<std::size_t>(memory.bytes())});
  const auto work = GradWorkspace<float>::carve(carver, shape, p.seq, false);
  begin_rows(work, shape, grad_rows<float>(tensors));
  std::fill_n(work.visible, work.row_stride, 0);
  add_share<float>(work, shape, tensors["k"].as<float>(), tensors["v"].as<float>(), p.seq, sums.as<float>(),
                   sums.as<float>() + 40, nullptr);
  for (std::int64_t i = 0; i < sums.count(); ++i) ASSERT_EQ(sums.at(i), 0.0) << "element " << i;
}

}  // namespace
}  // namespace bench::attention
