// SPDX-License-Identifier: Apache-2.0
// flash_bwd_ordered_mma_cuda: flash_bwd_mma_cuda with the same bits in every run, dq's too.
//
// q dout (B, H, L, D), k v (B, Hkv, Lk, D), and the forward pass's out and lse -> dq (B, H, L, D), dk dv (B, Hkv, Lk, D) in bf16 or fp16. Algorithm and
// layouts: flash_bwd_mma.hpp; tiles: flash_bwd_mma_launch.cuh.
//
// Blocks of keys add to a block of dQ's sums in the order of the keys: each has a counter, and whoever is to be n-th waits until it is n. Partial sums a
// block of keys, added up afterwards, would wait for nobody, but take Lk / 128 times the memory of dq in fp32; a fixed number of them would make the bits
// a matter of that number. Blocks take their keys by ticket, first keys first, so that each waits only for such as run already; and of these each is
// a round or two ahead, since causal rows begin later for later keys, and otherwise blocks that start together fall behind each other once.
//
// Work, bytes and error as flash_bwd_mma_cuda's. Right choice: where two runs must agree in every bit. Preconditions: D <= 256, a multiple of 8; 161 KB
// of shared memory a block.
#include "kernels/attention/flash_bwd_mma_launch.cuh"

namespace bench::attention {

static const Registrar<Kernel> registrar{{
    .name = "attention/flash_bwd_ordered_mma_cuda",
    .op = "attention",
    .backend = Backend::cuda,
    .dtypes = {DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "as flash_bwd_mma_cuda, dQ added up in the order of the keys: the same bits in every run",
    .supports = bwd_mma_supports,
    .workspace_bytes = bwd_workspace_bytes,
    .prepare = prepare_bwd_mma<true>,
    .run = run_bwd_mma<true>,
}};

}  // namespace bench::attention
