// SPDX-License-Identifier: Apache-2.0
// flash_tma_store_sm90_cuda: attention's forward pass on Hopper by wgmma, its output stored by the copy engine: the last rung.
//
// q (B, H, L, D), k v (B, Hkv, L, D) -> out (B, H, L, D) in bf16 or fp16, lse (B, H, L) in fp32. Layouts: flash_sm90.hpp.
//
// Algorithm: flash_pingpong_sm90_cuda's (D > 128: flash_persistent_sm90_cuda's), but a tile's output goes by stmatrix to where its queries were, and
// from there by one thread's bulk store: whole lines, and under the next tile's first keys. That tile's queries wait until it has been read.
// Tiles: flash_sm90_launch.cuh; two places each for K and V; one block an SM.
//
// Work: 4 D flops and one exponential a visible pair, whole blocks of keys at the ends of a row's range. Bytes: K and V once per block of
// rows, from L2 as long as a section's fit. Accumulation fp32, weights rounded to 16 bits before P V. Bits do not depend on who takes which tile.
//
// Right choice: on Hopper. Preconditions: compute capability 9.0; D <= 256, a multiple of 8.
#include "kernels/attention/flash_sm90_launch.cuh"

namespace bench::attention {

static const Registrar<Kernel> registrar{{
    .name = "attention/flash_tma_store_sm90_cuda",
    .op = "attention",
    .backend = Backend::cuda,
    .dtypes = {DType::bf16, DType::f16},
    .about = "as flash_pingpong_sm90_cuda, the output by way of shared memory and the copy engine",
    .supports = hopper_supports<kTmaStoreRung>,
    .prepare = prepare_on_hopper<kTmaStoreRung>,
    .run = run_on_hopper<kTmaStoreRung>,
}};

}  // namespace bench::attention
