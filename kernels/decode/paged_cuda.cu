// SPDX-License-Identifier: Apache-2.0
// paged_cuda: decode attention over a paged cache on a GPU's ordinary lanes, split over the tokens.
//
// q (B, H, D), k_cache v_cache (pages, page, Hkv, D), pages wherever they lie -> out (B, H, D) in bf16, fp16 or fp32, lse (B, H) in fp32.
// Algorithm: Flash-Decoding (Dao et al. 2023): blocks take spans of a sequence's tokens, a second launch merges their states. One span's work:
// paged_body.hpp; how many spans: paged_split.hpp; merges: paged_merge.hpp.
//
// Bytes: K and V once, which is what binds it; a state of D + 1 words a span and query head, written and read once. Work: 4 D flops and one
// exponential a query head and token, on the ordinary lanes: one query row would fill a sixteenth of a tensor core's tile. Error against
// fp64: the rounding of the output; weights are not rounded. Bits depend on the number of splits, hence on batch and device, but not on chance;
// paged_fixed_cuda's do not.
//
// Right choice: up to some eight query heads a key/value head; beyond, the lanes' arithmetic takes longer than reading. Preconditions: D <= 256, a
// multiple of 8; a page of 2^n tokens, 16 or more.
#include "kernels/decode/paged_body.hpp"
#include "kernels/decode/paged_reader.cuh"

namespace bench::decode {
namespace {

/// Heads a block: as many as the group has, 8 at most.
struct Bodies {
  template <class T, int kDim, class F>
  static auto of_group(const DecodeProblem& p, F&& f) {
    if (p.group() == 1) return f.template operator()<PagedSplit<cuda::Machine, T, kDim, 1>>();
    if (p.group() <= 4) return f.template operator()<PagedSplit<cuda::Machine, T, kDim, 4>>();
    return f.template operator()<PagedSplit<cuda::Machine, T, kDim, 8>>();
  }
  template <class T, class F>
  static auto of_type(const DecodeProblem& p, F&& f) {
    return with_dim(p, [&]<int kDim>() { return of_group<T, kDim>(p, f); });
  }
  template <class F>
  static auto with(const DecodeProblem& p, F&& f) {
    if (p.dtype == DType::f32) return of_type<float>(p, f);
    if (p.dtype == DType::bf16) return of_type<Bf16>(p, f);
    return of_type<F16>(p, f);
  }
};

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  return prepare_paged(kReadByLanes, Cut::to_fill_the_device, problem, tensors);
}
void run(const Problem& problem, Tensors&, Context& context) { run_paged(kReadByLanes, problem, context); }

const Registrar<Kernel> registrar{{
    .name = "decode/paged_cuda",
    .op = "decode",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "one span of tokens a block, rows read once in 16-byte pieces, spans merged by a second launch",
    .supports = takes_pages,
    .prepare = prepare,
    .run = run,
}};

}  // namespace

const SpanReader kReadByLanes = reader_of<Bodies>();

}  // namespace bench::decode
