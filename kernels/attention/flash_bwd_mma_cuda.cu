// SPDX-License-Identifier: Apache-2.0
// flash_bwd_mma_cuda: attention's backward pass on tensor cores by mma.sync, for NVIDIA GPUs from sm_80 on.
//
// q dout (B, H, L, D), k v (B, Hkv, Lk, D), and the forward pass's out and lse -> dq (B, H, L, D), dk dv (B, Hkv, Lk, D) in bf16 or fp16. Algorithm and
// layouts: flash_bwd_mma.hpp; tiles: flash_bwd_mma_launch.cuh. Three launches: delta = rowsum(dO * O) and cleared sums (bwd_rows.hpp), the main kernel, which
// adds to fp32 sums of dQ, and those rounded.
//
// Work: 10 D flops and one exponential a visible pair, whole blocks at the ends of what a row sees. Bytes: Q and dO once per block of keys, and as
// many additions of 4 D bytes to dQ's sums, mostly in L2. Parallel over keys and key/value heads only: few long grouped heads leave SMs idle.
//
// Accumulation fp32; P and dS are rounded to 16 bits before the products that follow. dk and dv have the same bits in every run; dq has not: blocks of keys
// add to its sums as they come, and the last bit of fp32 sums may show after rounding. flash_bwd_ordered_mma_cuda is the one for that.
//
// Right choice: on Ampere. Preconditions: D <= 256, a multiple of 8; 161 KB of shared memory a block.
#include "kernels/attention/flash_bwd_mma_launch.cuh"

namespace bench::attention {

static const Registrar<Kernel> registrar{{
    .name = "attention/flash_bwd_mma_cuda",
    .op = "attention",
    .backend = Backend::cuda,
    .dtypes = {DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "blocks of keys walk the rows on tensor cores by mma.sync, dQ added up in any order",
    .supports = bwd_mma_supports,
    .workspace_bytes = bwd_workspace_bytes,
    .prepare = prepare_bwd_mma<false>,
    .run = run_bwd_mma<false>,
}};

}  // namespace bench::attention
