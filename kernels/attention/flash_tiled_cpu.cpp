// SPDX-License-Identifier: Apache-2.0
// Tiled attention with an online softmax: out_i = sum_j 2^(s_ij - m_i) v_j / sum_j 2^(s_ij - m_i), s =
// log2(e) / sqrt(D) q_i . k_j, capped where asked for.
//
// q (B, H, L, D), k v (B, Hkv, Lk, D) -> out (B, H, L, D) in the tensors' dtype, lse (B, H, L) in fp32 (fp64
// for fp64 tensors). Algorithm: FlashAttention's loop (Dao et al. 2022; online softmax after Milakov &
// Gimelshein 2018) with key blocks outside and strips of query rows inside (tile_strip.hpp). Rows are the
// lanes of every vector, so K and V are broadcast an element at a time from where they lie: fp32 tensors are
// never packed, each element read from L2 serves 48 rows, and no sum or maximum crosses lanes. Only Q and the
// output are transposed, once each. Causal rows see a prefix of the keys: blocks beyond it are never touched
// and only tiles on the diagonal run masked code; of a sliding window's keys likewise, from the left. Work: 4
// D flops and one exponential a visible pair; bytes: K and V once per 96 query rows, from L2 or L3.
// Accumulation: fp32 (fp64 for fp64). Error against fp64 on N(0,1) inputs: below 2e-6 of max|ref| in fp32,
// the rounding of the output in bf16 and fp16. Scores must stay within +-1e28. 16-bit tensors are computed at
// fp32 speed, except in bf16 where a processor multiplies pairs faster. Right for everything on a CPU; fewer
// than 16 query rows cost as much as 16.
#include "kernels/attention/flash_tiled_cpu.hpp"

#include <omp.h>

#include <algorithm>

#include "kernels/attention/attention.hpp"
#include "kernels/attention/softmax_state.hpp"
#include "kernels/attention/tile_pack.hpp"

namespace bench::attention {
namespace {

/// One thread's query block in flight.
template <class Real>
struct ThreadScratch {
  RowScratch<Real> rows;
  StateArrays<Real> state;

  static ThreadScratch carve(Carver& carver, std::int64_t head_dim) {
    ThreadScratch scratch;
    scratch.rows = RowScratch<Real>::carve(carver, head_dim);
    scratch.state = StateArrays<Real>::carve(carver, kQueryBlock, head_dim);
    return scratch;
  }
};

template <class T>
struct Workspace {
  PackedShare<RealOf<T>> share;
  Slices scratch;  // a ThreadScratch each

  static Workspace carve(Carver& carver, const AttentionProblem& p) {
    Carver piece;
    ThreadScratch<RealOf<T>>::carve(piece, p.head_dim);
    Workspace workspace;
    const std::int64_t kv_heads = p.batch * p.kv_heads;
    workspace.share = PackedShare<RealOf<T>>::carve(carver, kv_heads, p.kv_length(), p.head_dim, kReadInPlace<T>);
    workspace.scratch = carver.take_slices(p.threads, piece);
    return workspace;
  }
};

/// Query rows [first, first + kQueryBlock) of head `head` (over batch and heads) from Q to out.
template <class T>
void attend_rows(const AttentionProblem& p, Tensors& tensors, const PackedShare<RealOf<T>>& share,
                 std::int64_t head, std::int64_t first, const ThreadScratch<RealOf<T>>& scratch) {
  const auto& engine = tile_engine_for<T>();
  const std::int64_t start = head * p.seq + first;
  auto rows = query_rows(scratch.rows, scratch.state, 0, std::min(kQueryBlock, p.seq - first), p.head_dim,
                         engine.rows);
  const std::int64_t padded_rows = round_up(rows.rows, engine.rows);
  const std::int64_t sequence = head / p.heads;
  for (std::int64_t r = 0; r < padded_rows; ++r) {
    const KeyRange keys = p.visible(sequence, first + r);
    scratch.rows.visible[r] = keys.end;
    scratch.rows.hidden[r] = keys.first;
  }
  if (p.hides_first_keys()) rows.hidden = scratch.rows.hidden;
  rows.softcap = static_cast<RealOf<T>>(p.softcap);
  const double scale = p.scale() * kLog2E;
  rows.scale = pack_queries(tensors["q"].as<T>() + start * p.head_dim, rows.rows, p.head_dim, engine, scale,
                            scratch.rows.q);
  clear_state(rows, padded_rows, p.head_dim);
  const auto kv = head_rows<T>(share, tensors["k"].as<T>(), tensors["v"].as<T>(), head / p.group(), p.kv_length(),
                               p.head_dim, engine.pairs);
  attend_block(engine, rows, kv, p.head_dim, scratch.rows.scores);
  finish_rows(rows, p.head_dim, tensors["out"].as<T>() + start * p.head_dim,
              tensors["lse"].as<RealOf<T>>() + start);
}

template <class T>
void attend_all(const AttentionProblem& p, Tensors& tensors, Context& context) {
  Carver carver(context.workspace);
  const auto workspace = Workspace<T>::carve(carver, p);
  const std::int64_t blocks = (p.seq + kQueryBlock - 1) / kQueryBlock;
#pragma omp parallel num_threads(static_cast <int>(p.threads))
  {
    Carver own(workspace.scratch[omp_get_thread_num()]);
    const auto scratch = ThreadScratch<RealOf<T>>::carve(own, p.head_dim);
    pack_share<T>(workspace.share, tensors["k"].as<T>(), tensors["v"].as<T>(), p.batch * p.kv_heads, p.kv_length(),
                  p.head_dim, tile_engine_for<T>().pairs);
    // One block of rows at a time; within a head the longest causal rows come first, so that the last ones to
    // be handed out are short.
#pragma omp for schedule(dynamic)
    for (std::int64_t i = 0; i < p.batch * p.heads * blocks; ++i)
      attend_rows<T>(p, tensors, workspace.share, i / blocks, (blocks - 1 - i % blocks) * kQueryBlock,
                     scratch);
  }
}

}  // namespace

std::int64_t flash_tiled_workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  return dispatch(p.dtype, [&]<class T>() {
    Carver carver;
    Workspace<T>::carve(carver, p);
    return carver.used_bytes();
  });
}

void run_flash_tiled(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  dispatch(p.dtype, [&]<class T>() { attend_all<T>(p, tensors, context); });
}

static const Registrar<Kernel> registrar{{
    .name = "attention/flash_tiled_cpu",
    .op = "attention",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "blocked online softmax, register-tiled, K/V read in place, causal skipping",
    .workspace_bytes = flash_tiled_workspace_bytes,
    .run = run_flash_tiled,
}};

}  // namespace bench::attention
