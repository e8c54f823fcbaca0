// SPDX-License-Identifier: Apache-2.0
// flash_bwd_ordered_sm90_cuda: flash_bwd_sm90_cuda with the same bits in every run, dq's too.
//
// q dout (B, H, L, D), k v (B, Hkv, Lk, D), and the forward pass's out and lse -> dq (B, H, L, D), dk dv (B, Hkv, Lk, D) in bf16 or fp16. Algorithm and
// layouts: flash_bwd_sm90.hpp; tiles: flash_bwd_sm90_launch.cuh.
//
// Every warp's part of a block of dQ has a counter of the key blocks that have added to it: its lane that starts the copy engine waits for those before it, and
// tells those behind it a round later, when what it added has arrived and not only been read. Blocks take their keys by ticket, as in
// flash_bwd_ordered_mma_cuda.cu, which also says why not by partial sums.
//
// Work, bytes and error as flash_bwd_sm90_cuda's. Right choice: on Hopper where two runs must agree in every bit. Preconditions: compute capability 9.0;
// D <= 128, a multiple of 8.
#include "kernels/attention/flash_bwd_sm90_launch.cuh"

namespace bench::attention {

static const Registrar<Kernel> registrar{{
    .name = "attention/flash_bwd_ordered_sm90_cuda",
    .op = "attention",
    .backend = Backend::cuda,
    .dtypes = {DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "as flash_bwd_sm90_cuda, dQ added up in the order of the keys: the same bits in every run",
    .supports = bwd_hopper_supports,
    .workspace_bytes = bwd_workspace_bytes,
    .prepare = prepare_bwd_on_hopper<true>,
    .run = run_bwd_on_hopper<true>,
}};

}  // namespace bench::attention
