// SPDX-License-Identifier: Apache-2.0
// ssd_fused64_mma_cuda: Mamba-2's scan in one launch on tensor cores by mma.sync, in chunks of 64 steps, for every NVIDIA GPU from sm_80 on.
//
// x, gated z (B, L, H, P), dt (B, L, H), B, C (B, L, G, N) -> out (B, L, H, P) in bf16 or fp16; h0 -> h_last (B, H, P, N) in fp32. Formulas: ssd.hpp.
//
// Algorithm: the chunked form of Dao and Gu 2024 (section 6), whose five kernels are one here: a block takes 64 elements of a head (32 with more than 128 states)
// through all of its steps, the state in registers (ssd_fused_mma.hpp). Decays: ssd_steps.hpp. No atomics: the bits do not depend on chance.
//
// Work: B L (H (Q/2 (P + N) + 3 P N)) multiply-adds with Q = 64, C B^T made anew for every head, plus Q/2 + 4 exponentials a step and head. Bytes: the least
// possible for x, out and z; B and C once a head from L2. Shared memory: 98 KB at N = 128, two stages: two blocks an SM on Hopper, one on Ampere.
// Error against fp64: out has that of its own rounding and of three operands' (weights of pairs, the state, x d); h_last some 4e-6, since what is added to
// the state is cut into two 16-bit numbers. In fp16 intermediate weights C B d and d x must stay below 65504.
//
// Right choice: where B H, times two for heads of 128 elements, fills the device's SMs; ssd_split_mma_cuda cuts time as well. Wrong for few states: below
// 64 the tiles are filled up with zeros. Preconditions: P and N multiples of 8, N <= 256.
#include "kernels/scan/ssd_fused_mma_launch.cuh"

namespace bench::scan {
namespace {

using Fused = SsdFused<64, 256>;

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_fused64_mma_cuda",
    .op = "ssd",
    .backend = Backend::cuda,
    .dtypes = {DType::bf16, DType::f16},
    .about = "one launch, chunks of 64 steps, a head's state in registers of a block",
    .supports = Fused::supports,
    .prepare = Fused::prepare,
    .run = Fused::run,
}};

}  // namespace
}  // namespace bench::scan
