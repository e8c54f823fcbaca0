// SPDX-License-Identifier: Apache-2.0
// The forward pass in whole numbers. Rows are split into digits first; then threads share panels (and blocks of
// rows), and within a panel blocks of inputs are outside and strips of rows inside, so that a block of weights is read
// from memory once per row block and serves all strips from the first-level cache.
#include <algorithm>

#include "kernels/linear/dot_layer.hpp"
#include "kernels/linear/row.hpp"
#include "kernels/rounding.hpp"

namespace bench::linear {
namespace {

/// The workspace: a row in fp32 for each thread, and the strips of all rows one after the other.
struct Workspace {
  float* rows;  // (threads, depth)
  std::int32_t *digits, *start;
  float *scale, *sum;

  Workspace(const LinearProblem& p, const DotLayer& layer, std::byte* at)
      : rows(reinterpret_cast<float*>(at)),
        digits(reinterpret_cast<std::int32_t*>(rows + p.threads * layer.depth)),
        start(digits + p.m * layer.depth / 4 * layer.digits),
        scale(reinterpret_cast<float*>(start + p.m * layer.groups() * layer.digits)),
        sum(scale + p.m * layer.groups()) {}

  /// The strip whose first row is `row`, from group `group` on.
  DigitStrip strip(const DotLayer& layer, std::int64_t row, std::int64_t rows_in_strip, std::int64_t group) const {
    const std::int64_t wide = rows_in_strip * layer.digits, inputs = group * layer.group;
    return {digits + row * layer.depth / 4 * layer.digits + inputs / 4 * wide,
            start + row * layer.groups() * layer.digits + group * wide,
            scale + row * layer.groups() + group * rows_in_strip, sum + row * layer.groups() + group * rows_in_strip};
  }
};

struct Strip {
  std::int64_t first, size;
};

/// The strip that holds `row` of m: fours, then a pair and a single row at the end.
Strip strip_of(std::int64_t row, std::int64_t m) {
  Strip strip{row / kMostDotRows * kMostDotRows, 0};
  for (;;) {
    strip.size = DotEngine::next_strip(m - strip.first);
    if (row < strip.first + strip.size) return strip;
    strip.first += strip.size;
  }
}

void split_row(const LinearProblem& p, const DotLayer& layer, const Workspace& space, const std::byte* x,
               std::int64_t row, float* scratch) {
  read_row(layer.engine->isa, {x + row * p.k * size_of(p.dtype), p.dtype, p.k, layer.depth, p.norm, scratch});
  const Strip strip = strip_of(row, p.m);
  const std::int64_t place = row - strip.first;
  DigitStrip to = space.strip(layer, strip.first, strip.size, 0);
  to.digits += place * layer.digits, to.start += place * layer.digits;
  to.scale += place, to.sum += place;
  layer.engine->split[static_cast<std::size_t>(layer.digits - 2)](
      {scratch, layer.depth, layer.group, strip.size, code_offset(layer.format), to});
}

/// tile (rows, panel) <- products of rows [first, end) with panel `index`.
void multiply_panel(const LinearProblem& p, const DotLayer& layer, const Workspace& space, std::int64_t index,
                    std::int64_t first, std::int64_t end, float* tile) {
  const std::int64_t panel = layer.engine->panel;
  const std::byte* weights = layer.panels.data() + index * panel * packed_bytes(layer.format, layer.depth);
  std::fill(tile, tile + (end - first) * panel, 0.0F);
  for (std::int64_t k = 0; k < layer.depth; k += kDepthBlock) {
    const std::int64_t group = k / layer.group;
    const std::int64_t figure = (index * layer.groups() + group) * panel * size_of(layer.figures);
    DotArgs args{.x = {},
                 .w = weights + panel * packed_bytes(layer.format, k),
                 .scale = layer.scale.data() + figure,
                 .zero = layer.zero.data() + figure,
                 .figures = layer.figures,
                 .depth = std::min(kDepthBlock, layer.depth - k),
                 .group = layer.group,
                 .tile = tile};
    for (std::int64_t row = first; row < end;) {
      const Strip strip = strip_of(row, p.m);
      args.x = space.strip(layer, row, strip.size, group);
      args.tile = tile + (row - first) * panel;
      layer.engine->strip(layer.format, layer.digits, strip.size)(args);
      row += strip.size;
    }
  }
}

void finish_panel(const LinearProblem& p, const DotLayer& layer, std::int64_t index, std::int64_t first,
                  std::int64_t end, const float* tile, Tensors& tensors) {
  const std::int64_t panel = layer.engine->panel, channel = index * panel, bytes = size_of(p.dtype);
  FinishRowArgs args{.sums = tile,
                     .scale = layer.format == WeightFormat::int8 ? layer.scale.as<float>() + channel : nullptr,
                     .bias = tensors["bias"].data() + channel * bytes,
                     .y = tensors["y"].data() + (first * p.n + channel) * bytes,
                     .dtype = p.dtype,
                     .count = std::min(panel, p.n - channel),
                     .activation = p.activation};
  for (std::int64_t row = first; row < end; ++row) {
    finish_row(layer.engine->isa, args);
    args.sums += panel;
    args.y = static_cast<std::byte*>(args.y) + p.n * bytes;
  }
}

}  // namespace

std::int64_t dot_workspace_bytes(const LinearProblem& p) {
  const std::int64_t depth = round_up(p.k, kDotGrain);
  const std::int64_t groups = std::max(p.recipe.groups(depth), ceil_div(depth, kDotGroup));
  return 4 * (p.threads * depth + p.m * depth / 4 * kMostDigits + p.m * groups * (kMostDigits + 2));
}

void dot_forward(const LinearProblem& p, const DotLayer& layer, Tensors& tensors, Context& context) {
  const Workspace space(p, layer, context.workspace.data());
  const std::byte* x = tensors["x"].data();
  const std::int64_t panels = ceil_div(p.n, layer.engine->panel), blocks = ceil_div(p.m, kDotRowBlock);
#pragma omp parallel num_threads(static_cast <int>(p.threads))
  {
    alignas(64) float tile[kDotRowBlock * kMostDotPanel];
#pragma omp for schedule(static)
    for (std::int64_t thread = 0; thread < p.threads; ++thread)
      for (std::int64_t row = thread; row < p.m; row += p.threads)
        split_row(p, layer, space, x, row, space.rows + thread * layer.depth);
#pragma omp for schedule(static)
    for (std::int64_t job = 0; job < blocks * panels; ++job) {
      const std::int64_t first = job / panels * kDotRowBlock, end = std::min(p.m, first + kDotRowBlock);
      multiply_panel(p, layer, space, job % panels, first, end, tile);
      finish_panel(p, layer, job % panels, first, end, tile, tensors);
    }
  }
}

}  // namespace bench::linear
