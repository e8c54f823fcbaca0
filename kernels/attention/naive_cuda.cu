// SPDX-License-Identifier: Apache-2.0
// naive_cuda: attention in three launches on a GPU, all scores written out: S = Q K^T, P = softmax(S), O = P V.
//
// q (B, H, L, D), k v (B, Hkv, L, D) -> out (B, H, L, D) in fp32, bf16 or fp16, lse (B, H, L) in fp32. Products: this project's own, on tensor cores for 16-bit
// tensors (kernels/cuda/gemm_mma.hpp) and by plain multiply-adds for fp32 (gemm_fma.hpp); softmax: naive_softmax.hpp.
//
// Work: 4 D flops a pair, whether it is visible or not: what a user writes down first, and what LibTorch's composite op does. Bytes: 12 a pair (S in fp32 written and
// read, P in 16 bits written and read; 16 in fp32), which binds it from L of some 1000 on. Memory: B H L^2 of 6 bytes (4 in fp32). Error against fp64: the rounding
// of weights and output. Bits do not depend on the order of blocks.
//
// Right choice: none but as a baseline, and where tensors are fp32. Its variant without the tiles that a mask empties: naive_skip_cuda; with
// cuBLAS' products: naive_cublas_cuda. Precondition: D a multiple of 8 for 16-bit tensors.
#include "kernels/attention/naive_launch.cuh"

namespace bench::attention {
namespace {

using cuda::EveryTile;

void run(const Problem& problem, Tensors&, Context& context) { naive_run<false>(problem, context, EveryTile{}, EveryTile{}); }

const Registrar<Kernel> registrar{{
    .name = "attention/naive_cuda",
    .op = "attention",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "scores written out, three launches, own products; masks save no work",
    .supports = naive_supports,
    .prepare = naive_prepare<EveryTile, EveryTile>,
    .run = run,
}};

}  // namespace
}  // namespace bench::attention
