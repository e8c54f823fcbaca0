// SPDX-License-Identifier: Apache-2.0
// update_torch: one token's state update as LibTorch tensor operations, in place on the new state.
//
// Shapes: x, z, out (B, H, P); dt (B, H, W); A (H, W, M); D, dt_bias (H, W); B, C (B, G, N); h0, h_last (B,
// H, P, N). See update.hpp.
//
// Algorithm: with a cache the states are gathered into h_last first, another two streams; h_last = h0 decay; h_last += (d x) B^T by addcmul; a batched product with C per group. Work as
// the formulas say; five streams of states where two would do, and untied another two for the decays.
//
// Error against fp64: some eps of the state's type.
//
// Right choice: as the form that a LibTorch user would write.
#include "kernels/scan/update_torch.hpp"

namespace bench::scan {
namespace {

const Registrar<Kernel> registrar{{
    .name = "scan/update_torch",
    .op = "ssm_update",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "LibTorch mul, addcmul and a batched product",
    .prepare = prepare_on_host<UpdateByOps>,
    .run = run_on_host<UpdateByOps>,
}};

}  // namespace
}  // namespace bench::scan
