// SPDX-License-Identifier: Apache-2.0
// Tiled backward attention: with P_ij = 2^(s_ij - lse_i), s = log2(e) / sqrt(D) q_i . k_j, delta_i = dout_i .
// out_i and dS_ij = P_ij (dout_i . v_j - delta_i),
//   dV_j = sum_i P_ij dout_i,  dQ_i = sum_j dS_ij k_j / sqrt(D),  dK_j = sum_i dS_ij q_i / sqrt(D).
// Where scores are capped, s = c log2(e) t, t = tanh(q_i . k_j / (c sqrt(D))), and dS_ij takes the factor 1 - t^2.
//
// q dout (B, H, L, D), k v (B, Hkv, Lk, D) -> dq (B, H, L, D), dk dv (B, Hkv, Lk, D) in the tensors' dtype; out
// (B, H, L, D) and lse (B, H, L) come from a forward pass in prepare. Algorithm: FlashAttention-2's backward
// loop (Dao 2023) with blocks of 192 keys outside and of 96 rows inside: weights are computed again from lse,
// P and dS of a block never leave L2, and a key block's dK and dV are summed over all rows of all heads of
// its group before they are written once. K and V are read where they lie, as in the forward pass; Q and dout
// are packed once, in strips for the two score products and in padded rows for dK and dV. Causal rows see a
// prefix of the keys: blocks beyond it are skipped, strips cut at the diagonal; of a sliding window's keys
// likewise, from the left. Work: 10 D flops and one exponential a visible pair where there are key/value
// heads enough for the threads, else 14 D and two (grad_share.hpp); bytes: dQ, Q and dout once per 192 keys,
// from L2 or L3. Accumulation: fp32 (fp64 for fp64). Error against fp64 on N(0,1) inputs: below 4e-6 of
// max|ref| in fp32, the rounding of out and of the gradients in bf16 and fp16. 16-bit tensors are computed at
// fp32 speed. The same bits for any number of threads.
#include "kernels/attention/flash_tiled_bwd_cpu.hpp"

#include <algorithm>

#include "kernels/attention/saved_forward.hpp"

namespace bench::attention {
namespace {

template <class T>
GradWorkspace<RealOf<T>> carve(Carver& carver, const AttentionProblem& p) {
  return GradWorkspace<RealOf<T>>::carve(carver, grad_shape(p, p.seq), p.kv_length(), kReadInPlace<T>);
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  save_forward(problem_as<AttentionProblem>(problem), tensors, context);
  return nullptr;
}

}  // namespace

GradShape grad_shape(const AttentionProblem& p, std::int64_t rows) {
  return {.heads = p.batch * p.heads,
          .kv_heads = p.batch * p.kv_heads,
          .rows = rows,
          .head_dim = p.head_dim,
          .threads = p.threads,
          .scale = p.scale(),
          .softcap = static_cast<double>(p.softcap),
          .sequences = p.key_lengths.empty() ? 1 : p.batch,
          .hides_first_keys = p.hides_first_keys()};
}

template <class T, class Out>
void whole_backward(const AttentionProblem& p, const GradRows<T>& rows, const T* k, const T* v,
                    const Gradients<T, Out>& gradients, std::span<std::byte> workspace) {
  Carver carver(workspace);
  const auto work = carve<T>(carver, p);
  const GradShape shape = grad_shape(p, p.seq);
  for (std::int64_t i = 0; i < shape.sequences * work.row_stride; ++i) {
    const KeyRange keys = p.visible(i / work.row_stride, i % work.row_stride);
    work.visible[i] = keys.end;
    if (shape.hides_first_keys) work.hidden[i] = keys.first;
  }
  begin_rows(work, shape, rows);
  add_share<T>(work, shape, k, v, p.kv_length(), gradients.dk, gradients.dv, nullptr);
  finish_dq(work, shape, gradients.dq);
}

std::int64_t flash_tiled_bwd_workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  return dispatch(p.dtype, [&]<class T>() {
    Carver carver;
    carve<T>(carver, p);
    return std::max(carver.used_bytes(), save_forward_workspace_bytes(p));
  });
}

void run_flash_tiled_bwd(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  dispatch(p.dtype, [&]<class T>() {
    const Gradients<T, T> gradients{tensors["dq"].as<T>(), tensors["dk"].as<T>(), tensors["dv"].as<T>()};
    whole_backward(p, grad_rows<T>(tensors), tensors["k"].as<T>(), tensors["v"].as<T>(), gradients,
                   context.workspace);
  });
}

#define BS_INSTANTIATE(T, Out)                                                                  \
  template void whole_backward(const AttentionProblem&, const GradRows<T>&, const T*, const T*, \
                               const Gradients<T, Out>&, std::span<std::byte>)
BS_INSTANTIATE(double, double);
BS_INSTANTIATE(float, float);
BS_INSTANTIATE(Bf16, Bf16);
BS_INSTANTIATE(Bf16, float);
BS_INSTANTIATE(F16, F16);
BS_INSTANTIATE(F16, float);
#undef BS_INSTANTIATE

static const Registrar<Kernel> registrar{{
    .name = "attention/flash_tiled_bwd_cpu",
    .op = "attention",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "blocked backward, weights computed again from lse, register-tiled, causal skipping",
    .workspace_bytes = flash_tiled_bwd_workspace_bytes,
    .prepare = prepare,
    .run = run_flash_tiled_bwd,
}};

}  // namespace bench::attention
