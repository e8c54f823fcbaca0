// SPDX-License-Identifier: Apache-2.0
// ssd_chunked_bwd_cuda_torch: the backward pass of Mamba-2's scan on a GPU by LibTorch's automatic differentiation, all chunks of Q = 64 steps at
// once; the forward pass is part of the run, as the op has nothing saved.
//
// Shapes: x, dout, dx, gated z and dz (B, L, H, P); dt, ddt (B, L, H); A, D, dt_bias, dA, dD, ddt_bias (H); B, C, dB, dC (B,
// L, G, N); h0, dh_last, dh0 (B, H, P, N). Formulas in ssd_bwd.hpp; the form is in ssd_torch_bwd.hpp.
//
// Tensors are on the device from prepare on, where the form is made and run once, so that a refusal is a row with LibTorch's reason. What is timed is
// its operations on the case's stream, intermediates from LibTorch's caching allocator.
// Three times the work of ssd_chunked64_cuda_torch, all in the state's type: gradients are sums of many terms. The graph holds B L H Q decays and scores.
//
// Error against fp64: as that form's, and gradients of decays as differences of sums over a chunk.
//
// Right choice: as the rival that does the same task as the op's other kernels.
#include "kernels/scan/ssd_torch_bwd.hpp"
#include "kernels/scan/ssd_torch_wide.hpp"
#include "kernels/torch_cuda.hpp"

namespace bench::scan {
namespace {

using Form = SsdBackward<ssd_torch_wide, false>;

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_chunked_bwd_cuda_torch",
    .op = "ssd",
    .backend = Backend::cuda,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "backward by LibTorch's autograd on the GPU, all chunks at once, forward pass included, Q = 64",
    .prepare = prepare_on_device<Form>,
    .run = run_on_device<Form>,
}};

}  // namespace
}  // namespace bench::scan
