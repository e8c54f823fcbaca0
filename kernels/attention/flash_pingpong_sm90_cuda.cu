// SPDX-License-Identifier: Apache-2.0
// flash_pingpong_sm90_cuda: attention's forward pass on Hopper by wgmma, two warpgroups that issue their products in turn.
//
// q (B, H, L, D), k v (B, Hkv, L, D) -> out (B, H, L, D) in bf16 or fp16, lse (B, H, L) in fp32. Layouts: flash_sm90.hpp.
//
// Algorithm: flash_persistent_sm90_cuda's, with FlashAttention-3's ping-pong: a warpgroup that has issued the products of a block passes the turn on
// and does its softmax under the other's products. Turns are barriers with a number: both look at the same blocks of keys, so both take as many.
// Tiles: flash_sm90_launch.cuh; two places each for K and V; one block an SM.
//
// Work: 4 D flops and one exponential a visible pair, whole blocks of keys at the ends of a row's range. Bytes: K and V once per block of
// rows, from L2 as long as a section's fit. Accumulation fp32, weights rounded to 16 bits before P V. Bits do not depend on who takes which tile.
//
// Right choice: where the exponentials take as long as the products, D <= 128. Preconditions: compute capability 9.0; D <= 128, a multiple of 8:
// beyond, a warpgroup's own products are long enough to hide its softmax.
#include "kernels/attention/flash_sm90_launch.cuh"

namespace bench::attention {

static const Registrar<Kernel> registrar{{
    .name = "attention/flash_pingpong_sm90_cuda",
    .op = "attention",
    .backend = Backend::cuda,
    .dtypes = {DType::bf16, DType::f16},
    .about = "as flash_persistent_sm90_cuda, the two warpgroups issuing their products in turn",
    .supports = hopper_supports<kPingPongRung>,
    .prepare = prepare_on_hopper<kPingPongRung>,
    .run = run_on_hopper<kPingPongRung>,
}};

}  // namespace bench::attention
