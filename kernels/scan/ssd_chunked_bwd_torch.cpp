// SPDX-License-Identifier: Apache-2.0
// ssd_chunked_bwd_torch: the backward pass of Mamba-2's scan by automatic differentiation of LibTorch's
// chunked form, Q = 64, from the inputs: the forward pass is part of the run, as the op has nothing saved.
//
// Shapes: x, dout, dx, gated z and dz (B, L, H, P); dt, ddt (B, L, H); A, D, dt_bias, dA, dD, ddt_bias (H); B, C, dB, dC (B,
// L, G, N); h0, dh_last, dh0 (B, H, P, N). Formulas in ssd_bwd.hpp.
//
// Work: three times that of ssd_torch.hpp. The graph holds B H L Q decays and as many scores.
//
// Error against fp64: as that form's, and u as a difference of sums over a chunk.
//
// Right choice: as the rival that does the same task as the op's other kernels. See
// ssd_chunked_saved_bwd_torch for the backward pass alone.
#include "kernels/scan/ssd_torch_bwd.hpp"

namespace bench::scan {
namespace {

using Form = SsdBackward<ssd_torch_in_turn, false>;

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_chunked_bwd_torch",
    .op = "ssd",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "backward by LibTorch's autograd of the chunked form, forward pass included, Q = 64",
    .prepare = prepare_on_host<Form>,
    .run = run_on_host<Form>,
}};

}  // namespace
}  // namespace bench::scan
