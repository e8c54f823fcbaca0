// SPDX-License-Identifier: Apache-2.0
// ssd_chunked_saved_bwd_cuda_torch: the backward pass of Mamba-2's scan on a GPU by LibTorch's automatic differentiation, all chunks of Q = 64 steps at
// once; from a graph that was saved in advance, the forward pass not timed.
//
// Shapes: x, dout, dx, gated z and dz (B, L, H, P); dt, ddt (B, L, H); A, D, dt_bias, dA, dD, ddt_bias (H); B, C, dB, dC (B,
// L, G, N); h0, dh_last, dh0 (B, H, P, N). Formulas in ssd_bwd.hpp; the form is in ssd_torch_bwd.hpp.
//
// Tensors are on the device from prepare on, where the form is made and run once, so that a refusal is a row with LibTorch's reason. What is timed is
// its operations on the case's stream, intermediates from LibTorch's caching allocator.
// Two times the work of ssd_chunked64_cuda_torch, all in the state's type: gradients are sums of many terms. The graph holds B L H Q decays and scores.
//
// Error against fp64: as that form's, and gradients of decays as differences of sums over a chunk.
//
// Right choice: as the hardest rival. It has an advantage: the op's other kernels start from the inputs.
#include "kernels/scan/ssd_torch_bwd.hpp"
#include "kernels/scan/ssd_torch_wide.hpp"
#include "kernels/torch_cuda.hpp"

namespace bench::scan {
namespace {

using Form = SsdBackward<ssd_torch_wide, true>;

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_chunked_saved_bwd_cuda_torch",
    .op = "ssd",
    .backend = Backend::cuda,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "backward by LibTorch's autograd on the GPU, all chunks at once, the forward pass saved in advance, Q = 64",
    .prepare = prepare_on_device<Form>,
    .run = run_on_device<Form>,
}};

}  // namespace
}  // namespace bench::scan
