// SPDX-License-Identifier: Apache-2.0
// naive_cublas_cuda: naive_cuda with cuBLAS' products, the honest upper bound of attention that writes its scores out.
//
// q (B, H, L, D), k v (B, Hkv, L, D) -> out (B, H, L, D) in fp32, bf16 or fp16, lse (B, H, L) in fp32. S = Q K^T and O = P V by cublasGemmStridedBatchedEx,
// accumulation in fp32, no TF32; the softmax is naive_cuda's. Query heads of a group lie behind one another, so they are one matrix of H / Hkv L rows against their
// key/value head's: no pointers, no copies. libcublas is opened at run time (kernels/cuda/cublas_cuda.hpp); where there is none, the case is skipped with the loader's reason.
//
// Work, bytes, memory and error as naive_cuda's; all tiles. Bits are cuBLAS' own: the same for the same library, device and shape.
//
// Right choice: to see how much of naive attention's time its bytes are, and how good the own products are. Precondition: D a multiple of 8 for 16-bit tensors.
#include "kernels/attention/naive_launch.cuh"
#include "kernels/cuda/cublas_cuda.hpp"

namespace bench::attention {
namespace {

class OnDevice final : public NaiveOnDevice {
 public:
  using NaiveOnDevice::NaiveOnDevice;
  cuda::Cublas& cublas() { return cublas_; }

 private:
  cuda::Cublas cublas_;
};

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  return std::make_unique<OnDevice>(problem_as<AttentionProblem>(problem), tensors);
}

void run(const Problem& problem, Tensors&, Context& context) {
  auto& ours = static_cast<OnDevice&>(*context.prepared);
  const NaiveJob& job = ours.naive();
  const DType dtype = problem.dtype;
  ours.cublas().multiply(cuda::stacked(scores_product(job)), cuda::GemmForm::nt, dtype, DType::f32, context.stream);
  with_type(problem_as<AttentionProblem>(problem), [&]<class T>() { launch_softmax<T, false>(job, static_cast<cudaStream_t>(context.stream)); });
  ours.cublas().multiply(cuda::stacked(output_product(job)), cuda::GemmForm::nn, dtype, dtype, context.stream);
}

const Registrar<Kernel> registrar{{
    .name = "attention/naive_cublas_cuda",
    .op = "attention",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "scores written out, three launches, cuBLAS' products (opened at run time)",
    .supports = naive_supports,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::attention
