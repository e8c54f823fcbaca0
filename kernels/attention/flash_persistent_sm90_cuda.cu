// SPDX-License-Identifier: Apache-2.0
// flash_persistent_sm90_cuda: attention's forward pass on Hopper by wgmma, one block a multiprocessor that takes tile after tile.
//
// q (B, H, L, D), k v (B, Hkv, L, D) -> out (B, H, L, D) in bf16 or fp16, lse (B, H, L) in fp32. Layouts: flash_sm90.hpp.
//
// Algorithm: flash_overlap_sm90_cuda's, in FlashAttention-3's persistent blocks: the next tile's first keys and queries are brought while this
// one's output is written. Order of tiles: tile_scheduler.hpp; dealt out by an atomic counter where a mask makes them unequal.
// Tiles: flash_sm90_launch.cuh; two places each for K and V; one block an SM.
//
// Work: 4 D flops and one exponential a visible pair, whole blocks of keys at the ends of a row's range. Bytes: K and V once per block of
// rows, from L2 as long as a section's fit. Accumulation fp32, weights rounded to 16 bits before P V. Bits do not depend on who takes which tile.
//
// Right choice: on Hopper, causal above all; not for so few tiles that every multiprocessor has one at most. Preconditions: compute capability
// 9.0; D <= 256, a multiple of 8.
#include "kernels/attention/flash_sm90_launch.cuh"

namespace bench::attention {

static const Registrar<Kernel> registrar{{
    .name = "attention/flash_persistent_sm90_cuda",
    .op = "attention",
    .backend = Backend::cuda,
    .dtypes = {DType::bf16, DType::f16},
    .about = "as flash_overlap_sm90_cuda, one block a multiprocessor, heaviest rows first, heads by what L2 holds",
    .supports = hopper_supports<kPersistentRung>,
    .prepare = prepare_on_hopper<kPersistentRung>,
    .run = run_on_hopper<kPersistentRung>,
}};

}  // namespace bench::attention
