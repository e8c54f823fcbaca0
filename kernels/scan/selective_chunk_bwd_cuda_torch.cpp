// SPDX-License-Identifier: Apache-2.0
// selective_chunk_bwd_cuda_torch: LibTorch's autograd on a GPU through the selective scan in chunks of 16 steps side by side.
//
// Shapes: u, delta, z, dout, du, ddelta, dz (B, L, C); A, dA (C, N); B, C, dB, dC (B, L, G, N); D,
// delta_bias, dD, ddelta_bias (C); h0, dh_last, dh0 (B, C, N). Formulas in selective_bwd.hpp; the form is in selective_torch_bwd.hpp. fp32 and fp64.
//
// Tensors are on the device from prepare on, where the form is made and run once, so that a refusal is a row with LibTorch's reason. What is timed is
// its operations on the case's stream, intermediates from LibTorch's caching allocator.
// The forward pass of selective_chunk_cuda_torch is recorded in prepare, its recurrence as one function whose backward is the same recurrence in reverse.
// Nothing of the forward pass is timed, though the project's own kernels compute the states again within their time: a handicap for them.
// Work: some 25 B L C N FLOPs and no exponentials; some twenty passes over 4 B L C N bytes. Memory: 16 B L C N bytes and more for the record.
//
// Error against fp64: as the sequential kernel's.
//
// Right choice: as the strongest form that a LibTorch user can write without a kernel, where its memory suffices.
#include "kernels/scan/selective_torch_bwd.hpp"
#include "kernels/torch_cuda.hpp"

namespace bench::scan {
namespace {

const Registrar<Kernel> registrar{{
    .name = "scan/selective_chunk_bwd_cuda_torch",
    .op = "selective",
    .backend = Backend::cuda,
    .dtypes = {DType::f64, DType::f32},
    .passes = {"bwd"},
    .about = "backward, LibTorch autograd on the GPU through chunks of 16 steps side by side; its forward is not timed",
    .supports = needs_plain_mixers,
    .prepare = prepare_on_device<SelectiveWideBackward>,
    .run = run_on_device<SelectiveWideBackward>,
}};

}  // namespace
}  // namespace bench::scan
