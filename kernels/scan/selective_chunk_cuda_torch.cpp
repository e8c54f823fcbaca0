// SPDX-License-Identifier: Apache-2.0
// selective_chunk_cuda_torch: the selective scan on a GPU as LibTorch operations, in chunks of 16 steps side by side.
//
// Shapes: u, delta, z, out (B, L, C); A (C, N); B, C (B, L, G, N); D, delta_bias (C); h0, h_last (B, C, N).
// Formulas in selective.hpp; the form is in selective_torch.hpp and wide_scan_torch.hpp.
//
// Tensors are on the device from prepare on, where the form is made and run once, so that a refusal is a row with LibTorch's reason. What is timed is
// its operations on the case's stream, intermediates from LibTorch's caching allocator.
// selective_chunk_torch takes chunks in turn, for a host's caches; here that would be 21 launches a chunk, more than a held stream takes, and each too
// small for the device. Instead decays exp(d A) and inputs d u B of the whole sequence are written out, (L, B, C, N) in the state's type each.
// Work: some 10 B L C N FLOPs, B L C (N + 4) exponentials. Bytes: eight passes over 4 B L C N bytes, where a kernel moves none of them: it is what an op
// without a kernel costs. Memory: 8 B L C N bytes and more; where that is not there, the row says oom.
//
// Error against fp64: as the sequential kernel's.
//
// Right choice: as the strongest form that a LibTorch user can write. On the host it is selective_chunk_wide_torch.
#include "kernels/scan/selective_torch.hpp"
#include "kernels/torch_cuda.hpp"

namespace bench::scan {
namespace {

const Registrar<Kernel> registrar{{
    .name = "scan/selective_chunk_cuda_torch",
    .op = "selective",
    .backend = Backend::cuda,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "LibTorch on the GPU, chunks of 16 steps side by side, states written out",
    .supports = needs_plain_mixers,
    .prepare = prepare_on_device<SelectiveWide>,
    .run = run_on_device<SelectiveWide>,
}};

}  // namespace
}  // namespace bench::scan
