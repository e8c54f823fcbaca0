// SPDX-License-Identifier: Apache-2.0
// naive_skip_cuda: naive_cuda less the tiles of S and the keys of P V in which no row sees a key: above the diagonal, outside of a window, behind a sequence's end.
//
// q (B, H, L, D), k v (B, Hkv, L, D) -> out (B, H, L, D) in fp32, bf16 or fp16, lse (B, H, L) in fp32. Bodies as in naive_cuda; tiles: VisibleScores and
// VisibleWeights (naive_products.hpp). Weights are written up to the end of the last 64 keys that their tile of 128 rows sees.
//
// Work and bytes: those of naive_cuda for visible pairs and, on the edges, for up to 128 more keys a row. Memory is the same. Without a mask it is naive_cuda.
//
// Right choice: as the baseline of what a mask is worth when scores are written out. Precondition: D a multiple of 8 for 16-bit tensors.
#include "kernels/attention/naive_launch.cuh"

namespace bench::attention {
namespace {

void run(const Problem& problem, Tensors&, Context& context) {
  const DeviceJob& job = static_cast<const NaiveOnDevice&>(*context.prepared).job();
  naive_run<true>(problem, context, VisibleScores{job}, VisibleWeights{job});
}

const Registrar<Kernel> registrar{{
    .name = "attention/naive_skip_cuda",
    .op = "attention",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "scores written out, three launches, own products of those tiles that a mask leaves something in",
    .supports = naive_supports,
    .prepare = naive_prepare<VisibleScores, VisibleWeights>,
    .run = run,
}};

}  // namespace
}  // namespace bench::attention
