// SPDX-License-Identifier: Apache-2.0
#include "kernels/linear/dot_layer.hpp"

#include <algorithm>

#include "kernels/huge_pages.hpp"
#include "kernels/rounding.hpp"

namespace bench::linear {
namespace {

/// One panel of 8-bit codes: (depth / 4, panel, 4). Padding is 0, which meets digits that are 0.
void pack_int8(const DotLayer& layer, const Quantised& q, std::int64_t first, std::uint8_t* to) {
  const std::int64_t panel = layer.engine->panel;
  for (std::int64_t c = 0; c < std::min(panel, q.n - first); ++c) {
    const std::int8_t* codes = q.codes.data() + (first + c) * q.k;
    for (std::int64_t k = 0; k < q.k; ++k)
      to[(k / 4 * panel + c) * 4 + k % 4] = static_cast<std::uint8_t>(codes[k] + 128);
  }
}

/// One panel of 4-bit codes: (depth / 8, panel, 4), inputs 4..7 in the high halves.
void pack_int4(const DotLayer& layer, const Quantised& q, std::int64_t first, std::uint8_t* to) {
  const std::int64_t panel = layer.engine->panel;
  for (std::int64_t c = 0; c < std::min(panel, q.n - first); ++c) {
    const std::int8_t* codes = q.codes.data() + (first + c) * q.k;
    for (std::int64_t k = 0; k < q.k; ++k) {
      std::uint8_t& byte = to[(k / 8 * panel + c) * 4 + k % 4];
      byte = static_cast<std::uint8_t>(byte | (codes[k] + 8) << (k % 8 < 4 ? 0 : 4));
    }
  }
}

/// (N, groups) -> (N / panel, groups, panel) of `dtype`; they are already rounded to it.
Tensor pack_figures(const std::vector<float>& figures, std::int64_t n, std::int64_t groups, std::int64_t panel,
                    DType dtype) {
  Tensor packed(dtype, {round_up(n, panel) * groups});
  std::fill(packed.data(), packed.data() + packed.bytes(), std::byte{0});
  for (std::int64_t row = 0; row < n; ++row)
    for (std::int64_t g = 0; g < groups; ++g)
      packed.set((row / panel * groups + g) * panel + row % panel,
                 static_cast<double>(figures[static_cast<std::size_t>(row * groups + g)]));
  return packed;
}

}  // namespace

std::vector<std::span<const std::byte>> DotLayer::memory() const {
  std::vector<std::span<const std::byte>> parts;
  for (const Tensor* tensor : {&panels, &scale, &zero})
    parts.emplace_back(tensor->data(), static_cast<std::size_t>(tensor->bytes()));
  return parts;
}

std::unique_ptr<DotLayer> pack_for_dot(const LinearProblem& p, const Quantised& q, const DotEngine& engine) {
  auto layer = std::make_unique<DotLayer>();
  const bool int4 = q.recipe.bits == 4;
  layer->engine = &engine;
  layer->format = int4 ? WeightFormat::int4 : WeightFormat::int8;
  layer->depth = round_up(p.k, kDotGrain);
  layer->group = int4 ? q.recipe.group : kDotGroup;
  layer->digits = p.dtype == DType::f32 ? 3 : 2;
  layer->figures = int4 ? p.dtype : DType::f32;
  layer->scale = pack_figures(q.scale, p.n, q.groups(), engine.panel, layer->figures);
  if (int4) layer->zero = pack_figures(q.zero, p.n, q.groups(), engine.panel, layer->figures);
  const std::int64_t channel_bytes = packed_bytes(layer->format, layer->depth);
  layer->panels = Tensor(DType::f32, {round_up(p.n, engine.panel) * channel_bytes / 4});
  prefer_huge_pages(layer->panels);
  // Panels are cut among threads as the forward pass cuts them: a thread's memory is touched by itself first.
#pragma omp parallel for schedule(static) num_threads(static_cast <int>(p.threads))
  for (std::int64_t first = 0; first < p.n; first += engine.panel) {
    auto* to = layer->panels.as<std::uint8_t>() + first * channel_bytes;
    std::fill(to, to + engine.panel * channel_bytes, std::uint8_t{0});
    (int4 ? pack_int4 : pack_int8)(*layer, q, first, to);
  }
  return layer;
}

}  // namespace bench::linear
