// SPDX-License-Identifier: Apache-2.0
#include "kernels/linear/layer.hpp"

#include <algorithm>

#include "kernels/linear/dot_layer.hpp"

namespace bench::linear {
namespace {

/// Panels are cut among threads as forward cuts them, so that a thread's memory is touched by itself first.
template <class Pack>
void for_each_panel(const LinearProblem& p, std::int64_t panel, Pack&& pack) {
#pragma omp parallel for schedule(static) num_threads(static_cast <int>(p.threads))
  for (std::int64_t first = 0; first < p.n; first += panel) pack(first / panel, first);
}

std::unique_ptr<PackedLayer> make_layer(const LinearProblem& p, WeightFormat format) {
  auto layer = std::make_unique<PackedLayer>();
  layer->engine = &tile_engine();
  layer->format = format;
  layer->depth = round_up(p.k, kDepthGrain);
  const std::int64_t channels = round_up(p.n, layer->engine->panel);
  layer->panels = Tensor(DType::f32, {(channels * packed_bytes(format, layer->depth) + 3) / 4});
  return layer;
}

/// One panel of elements: to[k * panel + c] = from(first + c, k), zero beyond N and K.
template <class T, class From>
void pack_panel(const LinearProblem& p, const PackedLayer& layer, std::int64_t first, T* to, From&& from) {
  const std::int64_t panel = layer.engine->panel;
  std::fill(to, to + layer.depth * panel, T{});
  for (std::int64_t c = 0; c < std::min(panel, p.n - first); ++c)
    for (std::int64_t k = 0; k < p.k; ++k) to[k * panel + c] = from(first + c, k);
}

/// Two codes a byte, the even input's low; padding is code 0.
void pack_panel_int4(const LinearProblem& p, const PackedLayer& layer, const Quantised& q, std::int64_t first,
                     std::uint8_t* to) {
  const std::int64_t panel = layer.engine->panel;
  std::fill(to, to + layer.depth / 2 * panel, std::uint8_t{0x88});
  for (std::int64_t c = 0; c < std::min(panel, p.n - first); ++c) {
    const std::int8_t* codes = q.codes.data() + (first + c) * p.k;
    for (std::int64_t k = 0; k < p.k; ++k) {
      std::uint8_t& byte = to[k / 2 * panel + c];
      const auto code = static_cast<unsigned>(codes[k] + 8);
      byte = static_cast<std::uint8_t>(k % 2 == 0 ? (byte & 0xf0U) | code : (byte & 0x0fU) | code << 4U);
    }
  }
}

/// (N, groups) -> (N / panel, groups, panel).
Tensor pack_figures(const LinearProblem& p, const std::vector<float>& figures, std::int64_t groups,
                    std::int64_t panel) {
  Tensor packed(DType::f32, {round_up(p.n, panel) * groups});
  float* to = packed.as<float>();
  std::fill(to, to + packed.count(), 0.0F);
  for (std::int64_t n = 0; n < p.n; ++n)
    for (std::int64_t g = 0; g < groups; ++g)
      to[(n / panel * groups + g) * panel + n % panel] = figures[static_cast<std::size_t>(n * groups + g)];
  return packed;
}

template <class T>
void pack_panels(const LinearProblem& p, PackedLayer& layer, const T* w) {
  for_each_panel(p, layer.engine->panel, [&](std::int64_t, std::int64_t first) {
    pack_panel(p, layer, first, layer.panels.as<T>() + first * layer.depth,
               [&](std::int64_t n, std::int64_t k) { return w[n * p.k + k]; });
  });
}

}  // namespace

std::vector<std::span<const std::byte>> PackedLayer::memory() const {
  std::vector<std::span<const std::byte>> parts;
  for (const Tensor* tensor : {&panels, &scale, &zero})
    parts.emplace_back(tensor->data(), static_cast<std::size_t>(tensor->bytes()));
  return parts;
}

std::unique_ptr<PackedLayer> pack_plain(const LinearProblem& p, const Tensor& w) {
  const WeightFormat format = p.dtype == DType::f32    ? WeightFormat::f32
                              : p.dtype == DType::bf16 ? WeightFormat::bf16
                                                       : WeightFormat::f16;
  auto layer = make_layer(p, format);
  if (format == WeightFormat::f32) pack_panels(p, *layer, w.as<float>());
  if (format == WeightFormat::bf16) pack_panels(p, *layer, w.as<Bf16>());
  if (format == WeightFormat::f16) pack_panels(p, *layer, w.as<F16>());
  return layer;
}

std::unique_ptr<PackedLayer> pack_quantised(const LinearProblem& p, const Quantised& q, bool widen) {
  const bool int4 = q.recipe.bits == 4;
  const WeightFormat format = widen ? WeightFormat::f32 : int4 ? WeightFormat::int4 : WeightFormat::int8;
  auto layer = make_layer(p, format);
  const std::int64_t panel = layer->engine->panel;
  if (widen) {
    for_each_panel(p, panel, [&](std::int64_t, std::int64_t first) {
      pack_panel(p, *layer, first, layer->panels.as<float>() + first * layer->depth,
                 [&](std::int64_t n, std::int64_t k) { return q.value(n, k); });
    });
    return layer;
  }
  layer->scale = pack_figures(p, q.scale, q.groups(), panel);
  if (!int4) {
    pack_panels(p, *layer, q.codes.data());
    return layer;
  }
  layer->group = q.recipe.group;
  layer->zero = pack_figures(p, q.zero, q.groups(), panel);
  for_each_panel(p, panel, [&](std::int64_t, std::int64_t first) {
    pack_panel_int4(p, *layer, q, first, layer->panels.as<std::uint8_t>() + first * layer->depth / 2);
  });
  return layer;
}

std::unique_ptr<Prepared> prepare_codes(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<LinearProblem>(problem);
  const Quantised q = quantise(tensors["w"], p.recipe, p.dtype, p.threads);
  if (const DotEngine* engine = dot_engine()) return pack_for_dot(p, q, *engine);
  return pack_quantised(p, q, false);
}

}  // namespace bench::linear
