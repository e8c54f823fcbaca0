// SPDX-License-Identifier: Apache-2.0
// selective_chunk_bwd_torch: LibTorch's autograd through the selective scan on chunks of 16 steps.
//
// Shapes: u, delta, z, dout, du, ddelta, dz (B, L, C); A, dA (C, N); B, C, dB, dC (B, L, G, N); D,
// delta_bias, dD, ddelta_bias (C); h0, dh_last, dh0 (B, C, N). Formulas in selective_bwd.hpp. fp32 and fp64.
//
// Algorithm: the forward pass of selective_chunk_torch is recorded in prepare, with the recurrence of a chunk
// as a custom autograd function whose backward is a loop of in-place addcmul in reverse, so that autograd does
// not record single steps. run is autograd's backward through that record. Nothing of the forward pass is
// timed, though the project's own kernels compute the states again within their time: a handicap for them.
//
// Work: some 20 B L C N FLOPs and no exponentials. Bytes: the record holds decays and states, 8 B L C N bytes
// in fp32, all read again; the gradients of a chunk stay in the caches.
//
// Error against fp64: as the sequential kernel.
//
// Right choice: as the strongest form that a LibTorch user can write without a kernel, where its memory suffices.
#include "kernels/scan/selective_torch_bwd.hpp"

namespace bench::scan {
namespace {

const Registrar<Kernel> registrar{{
    .name = "scan/selective_chunk_bwd_torch",
    .op = "selective",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32},
    .passes = {"bwd"},
    .about = "backward, LibTorch autograd through chunks of 16 steps; its forward is not timed",
    .supports = needs_plain_mixers,
    .prepare = prepare_on_host<SelectiveChunksBackward>,
    .run = run_on_host<SelectiveChunksBackward>,
}};

}  // namespace
}  // namespace bench::scan
