// SPDX-License-Identifier: Apache-2.0
// The forward pass over packed panels: blocks of rows outside, then panels, then blocks of inputs, then
// strips of rows. A panel's block of weights is read from memory once per row block and serves all of its
// strips from L2.
#include <algorithm>

#include "kernels/linear/layer.hpp"

namespace bench::linear {
namespace {

/// The activations of a call in the workspace, in strips: rows [r, r + size) lie at x + r * depth as (depth,
/// size) and their group sums at sums + r * groups as (groups, size).
struct Activations {
  float* x = nullptr;
  float* sums = nullptr;
};

/// Calls visit(first row, rows) for every strip of rows [begin, end), begin a multiple of kRowBlock.
template <class Visit>
void for_each_strip(const TileEngine& engine, std::int64_t begin, std::int64_t end, Visit&& visit) {
  for (std::int64_t row = begin; row < end;) {
    const std::int64_t size = engine.next_strip(end - row);
    visit(row, size);
    row += size;
  }
}

template <class T>
void pack_strip(const LinearProblem& p, const PackedLayer& layer, const T* x, std::int64_t row,
                std::int64_t size, const Activations& to) {
  float* strip = to.x + row * layer.depth;
  for (std::int64_t r = 0; r < size; ++r)
    for (std::int64_t k = 0; k < p.k; ++k) strip[k * size + r] = load(x[(row + r) * p.k + k]);
  std::fill(strip + p.k * size, strip + layer.depth * size, 0.0F);
  if (layer.format != WeightFormat::int4) return;
  float* sums = to.sums + row * layer.groups();
  std::fill(sums, sums + layer.groups() * size, 0.0F);
  for (std::int64_t k = 0; k < p.k; ++k)
    for (std::int64_t r = 0; r < size; ++r) sums[k / layer.group * size + r] += strip[k * size + r];
}

/// tile (rows, panel) <- products of a block of rows with panel `index`.
void multiply_panel(const PackedLayer& layer, std::int64_t index, const Activations& from, std::int64_t first,
                    std::int64_t end, float* tile) {
  const TileEngine& engine = *layer.engine;
  const std::int64_t panel = engine.panel, groups = layer.groups();
  const std::byte* weights = layer.panels.data() + index * panel * packed_bytes(layer.format, layer.depth);
  std::fill(tile, tile + (end - first) * panel, 0.0F);
  for (std::int64_t k = 0; k < layer.depth; k += kDepthBlock) {
    const std::int64_t group = k / layer.group;
    StripArgs args{};
    args.w = weights + panel * packed_bytes(layer.format, k);
    args.depth = std::min(kDepthBlock, layer.depth - k);
    args.group = layer.group;
    if (layer.format == WeightFormat::int4) {
      args.scale = layer.scale.as<float>() + (index * groups + group) * panel;
      args.zero = layer.zero.as<float>() + (index * groups + group) * panel;
    }
    for_each_strip(engine, first, end, [&](std::int64_t row, std::int64_t size) {
      args.x = from.x + row * layer.depth + k * size;
      args.x_sums = from.sums + row * groups + group * size;
      args.tile = tile + (row - first) * panel;
      engine.run(layer.format, size, args);
    });
  }
}

/// y <- tile * scale + bias, rounded to the tensors' dtype.
template <class T>
void finish_panel(const LinearProblem& p, const PackedLayer& layer, std::int64_t index, std::int64_t first,
                  std::int64_t end, const float* tile, const T* bias, T* y) {
  const std::int64_t panel = layer.engine->panel, column = index * panel;
  const std::int64_t columns = std::min(panel, p.n - column);
  const float* scale = layer.format == WeightFormat::int8 ? layer.scale.as<float>() + column : nullptr;
  for (std::int64_t row = first; row < end; ++row) {
    const float* sums = tile + (row - first) * panel;
    T* out = y + row * p.n + column;
    for (std::int64_t c = 0; c < columns; ++c)
      out[c] = store<T>((scale != nullptr ? sums[c] * scale[c] : sums[c]) + load(bias[column + c]));
  }
}

template <class T>
void forward(const LinearProblem& p, Tensors& tensors, Context& context) {
  const auto& layer = static_cast<const PackedLayer&>(*context.prepared);
  const TileEngine& engine = *layer.engine;
  const Activations activations{reinterpret_cast<float*>(context.workspace.data()),
                                reinterpret_cast<float*>(context.workspace.data()) + p.m * layer.depth};
  const T* x = tensors["x"].as<T>();
  const T* bias = tensors["bias"].as<T>();
  T* y = tensors["y"].as<T>();
  const std::int64_t panels = (p.n + engine.panel - 1) / engine.panel;
  const std::int64_t blocks = (p.m + kRowBlock - 1) / kRowBlock;
#pragma omp parallel num_threads(static_cast <int>(p.threads))
  {
    alignas(64) float tile[kRowBlock * kMostPanel];
#pragma omp for schedule(static)
    for (std::int64_t block = 0; block < (p.m + kMostStripRows - 1) / kMostStripRows; ++block)
      for_each_strip(
          engine, block * kMostStripRows, std::min(p.m, (block + 1) * kMostStripRows),
          [&](std::int64_t row, std::int64_t size) { pack_strip(p, layer, x, row, size, activations); });
#pragma omp for schedule(static)
    for (std::int64_t job = 0; job < blocks * panels; ++job) {
      const std::int64_t first = job / panels * kRowBlock, end = std::min(p.m, first + kRowBlock);
      multiply_panel(layer, job % panels, activations, first, end, tile);
      finish_panel(p, layer, job % panels, first, end, tile, bias, y);
    }
  }
}

}  // namespace

std::int64_t forward_workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<LinearProblem>(problem);
  const std::int64_t depth = round_up(p.k, kDepthGrain), groups = p.recipe.groups(depth);
  return p.m * (depth + groups) * static_cast<std::int64_t>(sizeof(float));
}

void run_forward(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<LinearProblem>(problem);
  if (p.dtype == DType::f32) return forward<float>(p, tensors, context);
  if (p.dtype == DType::bf16) return forward<Bf16>(p, tensors, context);
  BS_REQUIRE(p.dtype == DType::f16, "linear: no ", to_text(p.dtype));
  forward<F16>(p, tensors, context);
}

}  // namespace bench::linear
