// SPDX-License-Identifier: Apache-2.0
// LibTorch's CPU flash attention, pinned: at::_scaled_dot_product_flash_attention_for_cpu and no dispatch by
// heuristics.
//
// q (B, H, L, D), k v (B, Hkv, Lk, D) -> out (B, H, L, D), lse (B, H, L) fp32 (fp64 for fp64 tensors); dtypes
// fp32, bf16 and fp64. Grouped heads without copies: the op wants as many key/value heads as query heads, so
// batch and key/value head become the batch axis and the group becomes the head axis, along which K and V
// have stride 0. The data are the same, only the names of the axes change. The op allocates its outputs, so
// run allocates and then copies them into `out` and `lse`: what any user of the op pays for the allocation,
// plus a copy of out (two passes over B H L D elements against 4 L D flops for each).
// A window, padding or packed sequences are an additive mask, made in prepare, beside the op's own causal flag, which aligns
// the first query with the first key: Lk is L where rows are causal.
// Accumulation: fp32 (fp64 for fp64); bf16 weights are rounded to bf16 before the second product.
// The rival that a CPU kernel has to beat.
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <c10/core/InferenceMode.h>

#include <tuple>

#include "kernels/attention/attention.hpp"
#include "kernels/attention/torch_mask.hpp"

namespace bench::attention {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors&, Context&) {
  const c10::InferenceMode inference;
  return flash_mask(problem_as<AttentionProblem>(problem));
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  const c10::InferenceMode inference;
  use_threads(p.threads);
  const auto mask = static_cast<const TorchMask&>(*context.prepared).optional();
  const auto [out, lse] = at::_scaled_dot_product_flash_attention_for_cpu(
      grouped(tensors["q"], p), grouped(tensors["k"], p), grouped(tensors["v"], p), /*dropout_p=*/0.0,
      p.causal, mask, p.scale());
  grouped(tensors["out"], p).copy_(out);
  as_torch(tensors["lse"]).view({p.batch * p.kv_heads, p.group(), p.seq}).copy_(lse);
}

const Registrar<Kernel> registrar{{
    .name = "attention/sdpa_flash_torch",
    .op = "attention",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32, DType::bf16},
    .about = "LibTorch's CPU flash attention op, pinned",
    .supports = supports_flash_mask,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::attention
