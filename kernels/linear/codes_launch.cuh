// SPDX-License-Identifier: Apache-2.0
// A quantised layer with many rows of x on a device: what int4_mma_cuda and int8_mma_cuda share.
#pragma once

#include <memory>

#include "kernels/cuda/gemm_mma.hpp"
#include "kernels/linear/codes_operand.hpp"
#include "kernels/linear/device_limits.hpp"
#include "kernels/linear/layer_launch.cuh"

namespace bench::linear {

template <class T, int kBits, int kColumns>
using CodesProduct = cuda::GemmMma<cuda::Machine, T, T, cuda::GemmForm::nt, kColumns, cuda::EveryTile, LayerFinish<cuda::Machine, T>, CodesOperand<cuda::Machine, T, kBits, kColumns>>;

inline CodesSource codes_source(const CodePackets& packets, std::int64_t group) {
  CodesSource source{};
  source.tiles = static_cast<int>(packets.tiles);
  source.chunks = static_cast<int>(packets.chunks);
  source.groups = static_cast<int>(packets.groups);
  for (; group > 1; group /= 2) ++source.group_bits;
  return source;
}

class CodesOnDevice final : public LayerOnDevice {
 public:
  CodesOnDevice(const LinearProblem& p, Tensors& tensors, const CodePackets& packets, int columns)
      : LayerOnDevice(p, tensors, /*dense=*/false, columns), words_(to_device(packets.words)), scales_(to_device(packets.scales)), source_(codes_source(packets, p.recipe.group)) {
    source_.packets = words_.data();
    (p.recipe.bits == 4 ? source_.scales : finish.scales) = scales_.data();
  }
  const CodesSource& source() const { return source_; }

 private:
  device::DeviceBuffer words_, scales_;
  CodesSource source_;
};

/// Calls f with the element type and the product.
template <int kBits, class F>
void with_codes_product(const LinearProblem& p, int columns, F&& f) {
  with_columns(columns, [&]<int kColumns>() {
    if (p.dtype == DType::bf16) return f.template operator()<Bf16, CodesProduct<Bf16, kBits, kColumns>>();
    f.template operator()<F16, CodesProduct<F16, kBits, kColumns>>();
  });
}

template <int kBits>
std::string takes_rows_of_codes(const Problem& problem) {
  const std::string codes = takes_codes<kBits>(problem);
  return codes.empty() ? needs_whole_rows(problem_as<LinearProblem>(problem)) : codes;
}

template <int kBits>
std::unique_ptr<Prepared> prepare_codes_product(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<LinearProblem>(problem);
  const int columns = tile_columns(p);
  with_codes_product<kBits>(p, columns, [&]<class T, class Body>() { prepare_product<Body, LayerFinish<cuda::Machine, T>, CodesSource>(); });
  return std::make_unique<CodesOnDevice>(p, tensors, pack_codes(quantise(tensors["w"], p.recipe, p.dtype, p.threads), p.dtype, p.threads), columns);
}

template <int kBits>
void run_codes_product(const Problem& problem, Tensors&, Context& context) {
  const auto& p = problem_as<LinearProblem>(problem);
  const auto& layer = static_cast<const CodesOnDevice&>(*context.prepared);
  with_codes_product<kBits>(p, layer.tile_columns(), [&]<class T, class Body>() {
    launch_norm<T>(p, layer, context.stream);
    launch_product<Body>(layer.job, context.stream, LayerFinish<cuda::Machine, T>{layer.finish}, layer.source());
  });
}

}  // namespace bench::linear
