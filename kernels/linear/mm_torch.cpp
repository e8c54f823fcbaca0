// SPDX-License-Identifier: Apache-2.0
// mm_torch: y = act(norm(x) w^T + bias) by LibTorch's addmm in the problem's dtype, norm and activation by operators
// of their own.
//
// Shapes: x (M, K), w (N, K), bias (N) -> y (M, N). See linear.hpp. A quantised recipe is dequantised once,
// in prepare, and rounded to the dtype.
//
// Algorithm: addmm_out(bias, x, w^T) into y, which is what torch.nn.functional.linear calls; LibTorch hands
// it to oneDNN or MKL.
//
// Work and bytes: 2 M N K FLOPs; the weights in the problem's dtype.
//
// Error against fp64: fp32 accumulation; in 16 bits also the rounding of dequantised weights, which averages
// out.
//
// Right choice: as what a LibTorch user has without quantisation.
#include "kernels/linear/linear_torch.hpp"

namespace bench::linear {
namespace {

const Registrar<Kernel> registrar{{
    .name = "linear/mm_torch",
    .op = "linear",
    .backend = Backend::torch,
    .dtypes = {DType::f32, DType::bf16},
    .about = "LibTorch addmm, weights in full width",
    .prepare = prepare_on_host<FullWidth>,
    .run = run_on_host<FullWidth>,
}};

}  // namespace
}  // namespace bench::linear
