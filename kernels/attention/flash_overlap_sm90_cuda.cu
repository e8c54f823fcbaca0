// SPDX-License-Identifier: Apache-2.0
// flash_overlap_sm90_cuda: attention's forward pass on Hopper by wgmma, softmax and products of a warpgroup overlapped.
//
// q (B, H, L, D), k v (B, Hkv, L, D) -> out (B, H, L, D) in bf16 or fp16, lse (B, H, L) in fp32. Layouts: flash_sm90.hpp.
//
// Algorithm: FlashAttention-3's: the scores of the next block are computed together with the output of this one, the softmax in between
// while the output still is.
// Tiles: two warpgroups of 64 rows; 128 keys a block, two places each for K and V; one block an SM.
//
// Work: 4 D flops and one exponential a visible pair, whole blocks of keys at the ends of a row's range. Bytes: K and V once per block of
// rows, mostly from L2. Accumulation fp32, weights rounded to 16 bits before P V. Bits do not depend on the order of blocks.
//
// Right choice: on Hopper. Preconditions: compute capability 9.0; D <= 256, a multiple of 8.
#include "kernels/attention/flash_sm90_launch.cuh"

namespace bench::attention {

static const Registrar<Kernel> registrar{{
    .name = "attention/flash_overlap_sm90_cuda",
    .op = "attention",
    .backend = Backend::cuda,
    .dtypes = {DType::bf16, DType::f16},
    .about = "as flash_plain_sm90_cuda, the next block's softmax under this one's product",
    .supports = hopper_supports<kOverlapRung>,
    .prepare = prepare_on_hopper<kOverlapRung>,
    .run = run_on_hopper<kOverlapRung>,
}};

}  // namespace bench::attention
