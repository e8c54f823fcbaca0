// SPDX-License-Identifier: Apache-2.0
// What a LibTorch user has for a paged cache: gather each sequence's pages, then LibTorch's CPU flash
// attention, pinned: at::_scaled_dot_product_flash_attention_for_cpu.
//
// q (B, H, D), k_cache v_cache (pages, page, Hkv, D) -> out (B, H, D), lse (B, H) fp32 (fp64 for fp64
// tensors); dtypes fp32, bf16 and fp64. index_select copies the pages that a sequence has in the order of its
// table, so the copy is (tokens, Hkv, D); its tail beyond the last token is cut off by a view. The strongest
// simple form: the H / Hkv query heads of a group are the query rows of one attention with Hkv heads, so the
// op reads the copy once a group and nothing is repeated; sequences of equal length are one call over the
// batch, ragged ones a call each, as the op has no lengths. The table is made an int64 tensor in prepare,
// which is not timed. Bytes: K and V three times (read, written, read again) and whatever the op's own blocks
// take. Accumulation: fp32 (fp64 for fp64); bf16 weights are rounded to bf16 before the second product. The
// rival that a paged kernel has to beat.
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <c10/core/InferenceMode.h>

#include <tuple>
#include <vector>

#include "kernels/decode/cache_map.hpp"
#include "kernels/torch_tensors.hpp"

namespace bench::decode {
namespace {

/// Sequences [first, first + count) that are computed by one call.
struct Batch {
  std::int64_t first, count, tokens;
  at::Tensor pages;  // (count * pages a sequence), int64
};

struct Batches : Prepared {
  std::vector<Batch> all;
  at::Tensor k, v;  // (pages, page, Hkv, D): room for the copies of the largest batch
};

Batch make_batch(const DecodeProblem& p, const CacheMap& map, std::int64_t first, std::int64_t count) {
  Batch batch{first, count, map.lengths[static_cast<std::size_t>(first)], {}};
  const std::int64_t each = ceil_div(batch.tokens, p.page);
  batch.pages = at::empty({count * each}, at::kLong);
  for (std::int64_t i = 0; i < count * each; ++i)
    batch.pages.data_ptr<std::int64_t>()[i] =
        map.table[static_cast<std::size_t>((first + i / each) * map.pages_each + i % each)];
  return batch;
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors&, Context&) {
  const auto& p = problem_as<DecodeProblem>(problem);
  const c10::InferenceMode inference;
  const CacheMap map(p);
  auto batches = std::make_unique<Batches>();
  const std::int64_t together = p.lengths == Lengths::equal ? p.batch : 1;
  for (std::int64_t b = 0; b < p.batch; b += together)
    batches->all.push_back(make_batch(p, map, b, together));
  const Shape room{together * p.pages_each(), p.page, p.kv_heads, p.head_dim};
  batches->k = at::empty(room, scalar_type(p.dtype));
  batches->v = at::empty(room, scalar_type(p.dtype));
  return batches;
}

/// (pages, page, Hkv, D) -> the batch's tokens as (count, Hkv, tokens, D), strided, in `room`.
at::Tensor gathered(Tensor& cache, const DecodeProblem& p, const Batch& batch, const at::Tensor& room) {
  at::Tensor rows = room.narrow(0, 0, batch.pages.size(0));
  at::index_select_out(rows, as_torch(cache), 0, batch.pages);
  return rows.view({batch.count, -1, p.kv_heads, p.head_dim}).narrow(1, 0, batch.tokens).transpose(1, 2);
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<DecodeProblem>(problem);
  const c10::InferenceMode inference;
  use_threads(p.threads);
  const Shape heads{p.batch, p.kv_heads, p.group(), p.head_dim};
  const at::Tensor q = as_torch(tensors["q"]).view(heads), out = as_torch(tensors["out"]).view(heads);
  const at::Tensor lse = as_torch(tensors["lse"]).view({p.batch, p.kv_heads, p.group()});
  const auto& batches = static_cast<const Batches&>(*context.prepared);
  for (const Batch& batch : batches.all) {
    const auto [batch_out, batch_lse] = at::_scaled_dot_product_flash_attention_for_cpu(
        q.narrow(0, batch.first, batch.count), gathered(tensors["k_cache"], p, batch, batches.k),
        gathered(tensors["v_cache"], p, batch, batches.v), /*dropout_p=*/0.0, /*is_causal=*/false,
        /*attn_mask=*/std::nullopt, p.scale());
    out.narrow(0, batch.first, batch.count).copy_(batch_out);
    lse.narrow(0, batch.first, batch.count).copy_(batch_lse);
  }
}

const Registrar<Kernel> registrar{{
    .name = "decode/gather_sdpa_torch",
    .op = "decode",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32, DType::bf16},
    .about = "LibTorch: pages gathered by index_select, then its CPU flash attention op, pinned",
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::decode
