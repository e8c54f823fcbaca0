// SPDX-License-Identifier: Apache-2.0
// ssd_chunked_wide_bwd_torch: the backward pass of Mamba-2's scan by LibTorch's automatic differentiation, all chunks of Q = 64 steps at once.
//
// Shapes: x, dout, dx, gated z and dz (B, L, H, P); dt, ddt (B, L, H); A, D, dt_bias, dA, dD, ddt_bias (H); B, C, dB, dC (B,
// L, G, N); h0, dh_last, dh0 (B, H, P, N). Formulas in ssd_bwd.hpp; the form is in ssd_torch_bwd.hpp.
//
// Algorithm: autograd through ssd_chunked_wide_torch's form from the inputs, the forward pass included; all in the state's type.
// Work: three times that of the forward pass. The graph holds B L H Q decays and scores.
//
// Error against fp64: as that form's, and gradients of decays as differences of sums over a chunk.
//
// Right choice: none on a host. It is the form of ssd_chunked_bwd_cuda_torch, where it can be checked without a GPU.
#include "kernels/scan/ssd_torch_bwd.hpp"
#include "kernels/scan/ssd_torch_wide.hpp"

namespace bench::scan {
namespace {

using Form = SsdBackward<ssd_torch_wide, false>;

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_chunked_wide_bwd_torch",
    .op = "ssd",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "backward by LibTorch's autograd, all chunks at once, Q = 64: a form for devices",
    .prepare = prepare_on_host<Form>,
    .run = run_on_host<Form>,
}};

}  // namespace
}  // namespace bench::scan
