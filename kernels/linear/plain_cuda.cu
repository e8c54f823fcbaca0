// SPDX-License-Identifier: Apache-2.0
// plain_cuda: y = act(norm(x) w^T + bias) with the weights in full width on a GPU, by our own product. The baseline of this op there.
//
// Shapes: x (M, K), w (N, K), bias (N) -> y (M, N) in bf16, fp16 or fp32. See linear.hpp. A quantised recipe is dequantised once, in prepare, and rounded to the dtype.
//
// Algorithm: tiles of 128 x 128 or 128 x 64 outputs, 16-bit by mma.sync (kernels/cuda/gemm_mma.hpp), fp32 by ordinary multiply-adds (gemm_fma.hpp); bias and activation as a tile is
// stored. The norm is a launch before it that leaves x normalised, in the dtype (row_norm.hpp): tiles of x are copied into shared memory without passing through
// registers, so they cannot be scaled on the way, and a norm folded into the product behind it, rstd (x w^T - mean sum(w)), cancels where a row's mean is large.
//
// Work: 2 M N K FLOPs. Bytes: x once per tile's width of outputs, w once per 128 rows; with a norm x read twice and written once besides. Error against fp64: fp32 sums over K, then
// the rounding of y; of a normalised 16-bit x and of dequantised 16-bit weights one more. The same bits in every run.
//
// Right choice: as the yardstick for quantised layers. Wrong: for few rows, where it fills no device. 16-bit preconditions: K and N multiples of 8.
#include "kernels/cuda/gemm_fma.hpp"
#include "kernels/cuda/gemm_mma.hpp"
#include "kernels/linear/device_limits.hpp"
#include "kernels/linear/layer_launch.cuh"

namespace bench::linear {
namespace {

using cuda::GemmForm;
using cuda::Machine;

template <class T, int kColumns>
using Product = cuda::GemmMma<Machine, T, T, GemmForm::nt, kColumns, cuda::EveryTile, LayerFinish<Machine, T>>;
template <int kColumns>
using SingleProduct = cuda::GemmFma<Machine, GemmForm::nt, kColumns, cuda::EveryTile, LayerFinish<Machine, float>>;

/// Calls f with the element type and the product.
template <class F>
void with_product(const LinearProblem& p, int columns, F&& f) {
  with_columns(columns, [&]<int kColumns>() {
    if (p.dtype == DType::f32) return f.template operator()<float, SingleProduct<kColumns>>();
    if (p.dtype == DType::bf16) return f.template operator()<Bf16, Product<Bf16, kColumns>>();
    f.template operator()<F16, Product<F16, kColumns>>();
  });
}

std::string supports(const Problem& problem) {
  const auto& p = problem_as<LinearProblem>(problem);
  const std::string extents = needs_int_extents(p);
  return extents.empty() ? needs_whole_rows(p) : extents;
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<LinearProblem>(problem);
  const int columns = tile_columns(p);
  with_product(p, columns, [&]<class T, class Body>() { prepare_product<Body, LayerFinish<Machine, T>>(); });
  return std::make_unique<LayerOnDevice>(p, tensors, /*dense=*/true, columns);
}

void run(const Problem& problem, Tensors&, Context& context) {
  const auto& p = problem_as<LinearProblem>(problem);
  const auto& layer = static_cast<const LayerOnDevice&>(*context.prepared);
  with_product(p, layer.tile_columns(), [&]<class T, class Body>() {
    launch_norm<T>(p, layer, context.stream);
    launch_product<Body>(layer.job, context.stream, LayerFinish<Machine, T>{layer.finish});
  });
}

const Registrar<Kernel> registrar{{
    .name = "linear/plain_cuda",
    .op = "linear",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "weights in full width, own product with bias and activation; the baseline",
    .supports = supports,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::linear
