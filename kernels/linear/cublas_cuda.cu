// SPDX-License-Identifier: Apache-2.0
// cublas_cuda: plain_cuda with cuBLAS' product: the strong baseline of this op on a GPU, at any number of rows.
//
// Shapes: x (M, K), w (N, K), bias (N) -> y (M, N) in bf16, fp16 or fp32. See linear.hpp. A quantised recipe is dequantised once, in prepare, and rounded to the dtype.
//
// Algorithm: plain_cuda's norm (row_norm.hpp), cublasGemmEx into y, accumulation in fp32, no TF32, then bias and activation in place (finish_rows.hpp). libcublas is opened at run
// time (kernels/cuda/cublas_cuda.hpp); where there is none, the case is skipped with the loader's reason.
//
// Work: 2 M N K FLOPs. Bytes: x, w and y once or more as cuBLAS has it, y once more read and written. Error as plain_cuda's, and a 16-bit y is rounded before the bias as well as
// after it. Bits are cuBLAS' own: the same for the same library, device and shape.
//
// Right choice: to hold the others against.
#include "kernels/cuda/cublas_cuda.hpp"
#include "kernels/linear/device_limits.hpp"
#include "kernels/linear/finish_rows.hpp"
#include "kernels/linear/layer_launch.cuh"

namespace bench::linear {
namespace {

class OnDevice final : public LayerOnDevice {
 public:
  using LayerOnDevice::LayerOnDevice;
  cuda::Cublas cublas;
};

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) finish_rows(const __grid_constant__ FinishRowsJob job) {
  Body::run(job);
}

template <class T>
void run_in(const LinearProblem& p, OnDevice& layer, void* stream) {
  using End = FinishRows<cuda::Machine, T>;
  launch_norm<T>(p, layer, stream);
  layer.cublas.multiply(layer.job, cuda::GemmForm::nt, p.dtype, p.dtype, stream);
  const FinishRowsJob job{layer.job.c, layer.job.m, layer.job.n, layer.finish};
  finish_rows<End><<<End::blocks(job), End::kThreads, 0, static_cast<cudaStream_t>(stream)>>>(job);
  BS_CUDA(cudaGetLastError());
}

std::string supports(const Problem& problem) { return needs_int_extents(problem_as<LinearProblem>(problem)); }

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  return std::make_unique<OnDevice>(problem_as<LinearProblem>(problem), tensors, /*dense=*/true);
}

void run(const Problem& problem, Tensors&, Context& context) {
  const auto& p = problem_as<LinearProblem>(problem);
  auto& layer = static_cast<OnDevice&>(*context.prepared);
  if (p.dtype == DType::f32) return run_in<float>(p, layer, context.stream);
  if (p.dtype == DType::bf16) return run_in<Bf16>(p, layer, context.stream);
  run_in<F16>(p, layer, context.stream);
}

const Registrar<Kernel> registrar{{
    .name = "linear/cublas_cuda",
    .op = "linear",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "weights in full width, cuBLAS' product (opened at run time), norm and activation in launches of their own",
    .supports = supports,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::linear
