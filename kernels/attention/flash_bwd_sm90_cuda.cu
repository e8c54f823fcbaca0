// SPDX-License-Identifier: Apache-2.0
// flash_bwd_sm90_cuda: attention's backward pass on Hopper by wgmma and the copy engine.
//
// q dout (B, H, L, D), k v (B, Hkv, Lk, D), and the forward pass's out and lse -> dq (B, H, L, D), dk dv (B, Hkv, Lk, D) in bf16 or fp16. Algorithm and
// layouts: flash_bwd_sm90.hpp; tiles: flash_bwd_sm90_launch.cuh. Three launches: delta = rowsum(dO * O) and cleared sums (bwd_rows.hpp), the main kernel, which adds to fp32 sums of dQ, and
// those rounded.
//
// Work: 10 D flops and one exponential a visible pair, whole blocks at the ends of what a row sees. Bytes: Q and dO once per 128 keys, and as many additions
// of 4 D bytes to dQ's sums, mostly in L2. Parallel over keys and key/value heads only: few long grouped heads leave SMs idle.
// Accumulation fp32; P and dS are rounded to 16 bits before the products that follow. dk and dv have the same bits in every run; dq, whose sums are added up in
// the order in which blocks come, has not: flash_bwd_ordered_sm90_cuda is the one for that.
//
// Right choice: on Hopper. Preconditions: compute capability 9.0; D <= 128, a multiple of 8.
#include "kernels/attention/flash_bwd_sm90_launch.cuh"

namespace bench::attention {

static const Registrar<Kernel> registrar{{
    .name = "attention/flash_bwd_sm90_cuda",
    .op = "attention",
    .backend = Backend::cuda,
    .dtypes = {DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "two warpgroups of 64 keys walk the rows by wgmma, fed and dQ added up by the copy engine",
    .supports = bwd_hopper_supports,
    .workspace_bytes = bwd_workspace_bytes,
    .prepare = prepare_bwd_on_hopper<false>,
    .run = run_bwd_on_hopper<false>,
}};

}  // namespace bench::attention
