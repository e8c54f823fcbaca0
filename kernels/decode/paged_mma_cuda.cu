// SPDX-License-Identifier: Apache-2.0
// paged_mma_cuda: decode attention over a paged cache on tensor cores by mma.sync, for every NVIDIA GPU from sm_80 on, split over the tokens.
//
// q (B, H, D), k_cache v_cache (pages, page, Hkv, D), pages wherever they lie -> out (B, H, D) in bf16 or fp16, lse (B, H) in fp32. Algorithm:
// Flash-Decoding (Dao et al. 2023) with a group's query heads packed into the rows of a tile (FlashInfer's and FlashAttention-3's "pack GQA").
// One span's work: paged_mma.hpp; how many spans: paged_split.hpp; merges: paged_merge.hpp, as for paged_cuda.
//
// Heads a block: 16, 32 or 64, what the group needs; at D > 128 up to 32, as the states of 64 rows would not leave room for tokens on their way.
// Stages of 64 tokens on their way: 3 at D <= 64, 2 at D <= 128, 1 beyond (36 to 64 KB a block).
//
// Bytes: K and V once for each block's heads, which is what binds it. Work: 4 D flops and one exponential a row of the tile and token, rows that no
// head fills included: of a group of 8 half of them. Accumulation fp32, weights rounded to 16 bits before P V. Error against fp64: the rounding of
// weights and output. Bits depend on the number of splits, hence on batch and device, but not on chance; paged_mma_fixed_cuda's do not.
//
// Right choice: from eight query heads a key/value head on. Fewer are taken, too, to see where it begins to pay. Preconditions: D <= 256, a multiple of
// 8; a page of 2^n tokens, 16 or more.
#include "kernels/decode/paged_mma.hpp"
#include "kernels/decode/paged_reader.cuh"

namespace bench::decode {
namespace {

struct Bodies {
  template <class T, int kDim, class F>
  static auto of_group(const DecodeProblem& p, F&& f) {
    if (p.group() <= 16) return f.template operator()<PagedMma<cuda::Machine, T, kDim, 1>>();
    if constexpr (kDim <= 128)
      if (p.group() > 32) return f.template operator()<PagedMma<cuda::Machine, T, kDim, 4>>();
    return f.template operator()<PagedMma<cuda::Machine, T, kDim, 2>>();
  }
  template <class T, class F>
  static auto of_type(const DecodeProblem& p, F&& f) {
    return with_dim(p, [&]<int kDim>() { return of_group<T, kDim>(p, f); });
  }
  template <class F>
  static auto with(const DecodeProblem& p, F&& f) {
    if (p.dtype == DType::bf16) return of_type<Bf16>(p, f);
    return of_type<F16>(p, f);
  }
};

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  return prepare_paged(kReadByTensorCores, Cut::to_fill_the_device, problem, tensors);
}
void run(const Problem& problem, Tensors&, Context& context) { run_paged(kReadByTensorCores, problem, context); }

const Registrar<Kernel> registrar{{
    .name = "decode/paged_mma_cuda",
    .op = "decode",
    .backend = Backend::cuda,
    .dtypes = {DType::bf16, DType::f16},
    .about = "a group's heads are a tensor core's rows, tokens come in stages by asynchronous copies, spans merged by a second launch",
    .supports = takes_pages,
    .prepare = prepare,
    .run = run,
}};

}  // namespace

const SpanReader kReadByTensorCores = reader_of<Bodies>();

}  // namespace bench::decode
