// SPDX-License-Identifier: Apache-2.0
// selective_chunk_torch: the selective scan as LibTorch operations on chunks of 16 steps.
//
// Shapes: u, delta, z, out (B, L, C); A (C, N); B, C (B, L, G, N); D, delta_bias (C); h0, h_last (B, C, N).
// Formulas in selective.hpp. fp32 and fp64: the state has the tensors' type. Constant B or C (C, N) and complex numbers, too.
//
// Algorithm: per chunk of T = 16 steps the decays exp(d A) and the inputs d u B as (T, B, G, N, C / G), into
// buffers that stay; then one in-place addcmul a step, h_t = x_t += decay_t h_{t-1}, over contiguous blocks;
// then all sums over n of the chunk as one batched product (1, N) (N, C / G). Softplus, skip and gate are
// whole-tensor operations. Buffers and the slices of the loop are made in prepare.
//
// Work: 6 B L C N FLOPs, B L C (N + 4) exponentials (LibTorch's vectorised exp). Bytes: the chunk's decays and
// states (8 T B C N) are written and read twice, in the outer caches.
//
// Error against fp64: as the sequential kernel.
//
// Right choice: as the strongest form that a LibTorch user can write. T of 16, 32, 64 and 256 compared on one
// core with 2 MB of L2 at C 1024, N 16: 16 was fastest, 64 some 4 % slower, 256 some 40 %.
#include "kernels/scan/selective_torch.hpp"

namespace bench::scan {
namespace {

const Registrar<Kernel> registrar{{
    .name = "scan/selective_chunk_torch",
    .op = "selective",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32},
    .about = "LibTorch, chunks of 16 steps: in-place addcmul a step, one bmm a chunk",
    .prepare = prepare_on_host<SelectiveChunks>,
    .run = run_on_host<SelectiveChunks>,
}};

}  // namespace
}  // namespace bench::scan
