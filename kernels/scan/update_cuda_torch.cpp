// SPDX-License-Identifier: Apache-2.0
// update_cuda_torch: one token's state update on a GPU as LibTorch tensor operations, in place on the new state.
//
// Shapes: x, z, out (B, H, P); dt (B, H, W); A (H, W, M); D, dt_bias (H, W); B, C (B, G, N); h0, h_last (B,
// H, P, N). See update.hpp; the form is update_torch's, in update_torch.hpp.
//
// Tensors are on the device from prepare on, where the form is made and run once, so that a refusal is a row with LibTorch's reason. What is timed is
// its operations on the case's stream, intermediates from LibTorch's caching allocator.
// Work as the formulas say; five streams of states where two would do, untied another two for the decays, with a cache another two for the gather. Some
// twenty launches, which is what small batches cost.
//
// Error against fp64: some eps of the state's type.
//
// Right choice: as the form that a LibTorch user would write.
#include "kernels/scan/update_torch.hpp"
#include "kernels/torch_cuda.hpp"

namespace bench::scan {
namespace {

const Registrar<Kernel> registrar{{
    .name = "scan/update_cuda_torch",
    .op = "ssm_update",
    .backend = Backend::cuda,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "LibTorch mul, addcmul and a batched product on the GPU",
    .prepare = prepare_on_device<UpdateByOps>,
    .run = run_on_device<UpdateByOps>,
}};

}  // namespace
}  // namespace bench::scan
