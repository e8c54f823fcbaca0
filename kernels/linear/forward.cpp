// SPDX-License-Identifier: Apache-2.0
// The forward pass over packed panels: blocks of rows outside, then panels, then blocks of inputs, then
// strips of rows. A panel's block of weights is read from memory once per row block and serves all of its
// strips from L2.
#include <algorithm>

#include "kernels/linear/dot_layer.hpp"
#include "kernels/linear/layer.hpp"
#include "kernels/linear/row.hpp"

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

/// Rows go through `scratch` (depth), in fp32 and normalised.
void pack_strip(const LinearProblem& p, const PackedLayer& layer, const std::byte* x, std::int64_t row,
                std::int64_t size, float* scratch, const Activations& to) {
  float* strip = to.x + row * layer.depth;
  float* sums = to.sums + row * layer.groups();  // int4 only: others have no room for them
  if (layer.format == WeightFormat::int4) std::fill(sums, sums + layer.groups() * size, 0.0F);
  for (std::int64_t r = 0; r < size; ++r) {
    read_row(layer.engine->isa,
             {x + (row + r) * p.k * size_of(p.dtype), p.dtype, p.k, layer.depth, p.norm, scratch});
    for (std::int64_t k = 0; k < layer.depth; ++k) strip[k * size + r] = scratch[k];
    if (layer.format != WeightFormat::int4) continue;
    for (std::int64_t k = 0; k < layer.depth; ++k) sums[k / layer.group * size + r] += scratch[k];
  }
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

/// y <- activation(tile * scale + bias), rounded to the tensors' dtype.
void finish_panel(const LinearProblem& p, const PackedLayer& layer, std::int64_t index, std::int64_t first,
                  std::int64_t end, const float* tile, Tensors& tensors) {
  const std::int64_t panel = layer.engine->panel, column = index * panel, bytes = size_of(p.dtype);
  for (std::int64_t row = first; row < end; ++row)
    finish_row(layer.engine->isa,
               {.sums = tile + (row - first) * panel,
                .scale = layer.format == WeightFormat::int8 ? layer.scale.as<float>() + column : nullptr,
                .bias = tensors["bias"].data() + column * bytes,
                .y = tensors["y"].data() + (row * p.n + column) * bytes,
                .dtype = p.dtype,
                .count = std::min(panel, p.n - column),
                .activation = p.activation});
}

void forward(const LinearProblem& p, const PackedLayer& layer, Tensors& tensors, Context& context) {
  const TileEngine& engine = *layer.engine;
  float* rows = reinterpret_cast<float*>(context.workspace.data());  // one a thread
  float* strips = rows + p.threads * layer.depth;
  const Activations activations{strips, strips + p.m * layer.depth};
  const std::byte* x = tensors["x"].data();
  const std::int64_t panels = ceil_div(p.n, engine.panel), blocks = ceil_div(p.m, kRowBlock);
  const std::int64_t strip_blocks = ceil_div(p.m, kMostStripRows);
#pragma omp parallel num_threads(static_cast <int>(p.threads))
  {
    alignas(64) float tile[kRowBlock * kMostPanel];
#pragma omp for schedule(static)
    for (std::int64_t thread = 0; thread < p.threads; ++thread)
      for (std::int64_t block = thread; block < strip_blocks; block += p.threads)
        for_each_strip(engine, block * kMostStripRows, std::min(p.m, (block + 1) * kMostStripRows),
                       [&](std::int64_t row, std::int64_t size) {
                         pack_strip(p, layer, x, row, size, rows + thread * layer.depth, activations);
                       });
#pragma omp for schedule(static)
    for (std::int64_t job = 0; job < blocks * panels; ++job) {
      const std::int64_t first = job / panels * kRowBlock, end = std::min(p.m, first + kRowBlock);
      multiply_panel(layer, job % panels, activations, first, end, tile);
      finish_panel(p, layer, job % panels, first, end, tile, tensors);
    }
  }
}

}  // namespace

std::int64_t forward_workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<LinearProblem>(problem);
  const std::int64_t depth = round_up(p.k, kDepthGrain), groups = p.recipe.groups(depth);
  const std::int64_t widened =
      (p.threads * depth + p.m * (depth + groups)) * static_cast<std::int64_t>(sizeof(float));
  return std::max(widened, dot_workspace_bytes(p));
}

void run_forward(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<LinearProblem>(problem);
  if (const auto* layer = dynamic_cast<const DotLayer*>(context.prepared))
    return dot_forward(p, *layer, tensors, context);
  forward(p, static_cast<const PackedLayer&>(*context.prepared), tensors, context);
}

}  // namespace bench::linear
