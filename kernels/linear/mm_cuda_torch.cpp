// SPDX-License-Identifier: Apache-2.0
// mm_cuda_torch: y = act(norm(x) w^T + bias) on a GPU by LibTorch's addmm in the problem's dtype, norm and activation by operators of their own.
//
// Shapes: x (M, K), w (N, K), bias (N) -> y (M, N). See linear.hpp; the form is mm_torch's, in linear_torch.hpp. A quantised recipe is dequantised
// once, in prepare, and rounded to the dtype.
//
// Tensors and packed weights are on the device from prepare on, where the form is made and run once, so that a refusal is a row with LibTorch's reason.
// What is timed is its operators on the case's stream: norm, product, bias, activation, each of them one, intermediates from the caching allocator.
//
// Algorithm: addmm_out(bias, x, w^T), which LibTorch hands to cuBLAS, or with a bias and no norm to cublasLt with the bias in its epilogue.
//
// Work and bytes: 2 M N K FLOPs; the weights in the problem's dtype. fp32 products are of fp32 operands: LibTorch's default leaves TF32 off.
//
// Error against fp64: fp32 accumulation; in 16 bits also the rounding of dequantised weights, which averages out.
//
// Right choice: as the full-width baseline: many tokens, where weights are read once for all of them.
#include "kernels/linear/linear_torch.hpp"
#include "kernels/torch_cuda.hpp"

namespace bench::linear {
namespace {

const Registrar<Kernel> registrar{{
    .name = "linear/mm_cuda_torch",
    .op = "linear",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "LibTorch addmm on the GPU, weights in full width",
    .prepare = prepare_on_device<FullWidth>,
    .run = run_on_device<FullWidth>,
}};

}  // namespace
}  // namespace bench::linear
