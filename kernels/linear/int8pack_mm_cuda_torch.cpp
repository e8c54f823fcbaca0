// SPDX-License-Identifier: Apache-2.0
// int8pack_mm_cuda_torch: y = act(norm(x) w^T + bias) on a GPU by LibTorch's _weight_int8pack_mm, its weight-only 8-bit product.
//
// Shapes: x (M, K), w (N, K), bias (N) -> y (M, N). See linear.hpp; the form is int8pack_mm_torch's, in linear_torch.hpp. Recipe int8wo only; w is
// quantised in prepare.
//
// Tensors and packed weights are on the device from prepare on, where the form is made and run once, so that a refusal is a row with LibTorch's reason.
// What is timed is its operators on the case's stream: norm, product, bias, activation, each of them one, intermediates from the caching allocator.
//
// Algorithm: LibTorch 2.11 has one thread for each output, which walks along K (ATen/native/cuda/int8mm.cu); 16-bit x is widened to fp32 first and the
// product narrowed after, two more launches. A thread's index into codes is a 32-bit int, so N K and M K stay below 2^31.
//
// Work and bytes: 2 M N K FLOPs; N K bytes of weights, read again for each row of x from the caches.
//
// Error against fp64 with the dequantised weights: one fp32 sum of K terms in order; 16-bit y rounds before and after the bias.
//
// Right choice: none known: its reads are not side by side in memory. It is what LibTorch has; mm_cuda_torch is what its users should take.
#include "kernels/linear/linear_torch.hpp"
#include "kernels/torch_cuda.hpp"

namespace bench::linear {
namespace {

std::string supports(const Problem& problem) {
  const auto& p = problem_as<LinearProblem>(problem);
  constexpr std::int64_t kMost = std::int64_t{1} << 31;
  if (p.recipe.bits != 8) return concat("recipe ", to_text(p.recipe), "; this kernel has int8wo");
  if (p.n * p.k >= kMost || p.m * p.k >= kMost || p.m * p.n >= kMost) return "a matrix has 2^31 elements or more, LibTorch's indices are 32 bits wide";
  return {};
}

const Registrar<Kernel> registrar{{
    .name = "linear/int8pack_mm_cuda_torch",
    .op = "linear",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "LibTorch _weight_int8pack_mm on the GPU, then the bias",
    .example = {{"recipe", std::string("int8wo")}},
    .supports = supports,
    .prepare = prepare_on_device<PackedInt8>,
    .run = run_on_device<PackedInt8>,
}};

}  // namespace
}  // namespace bench::linear
