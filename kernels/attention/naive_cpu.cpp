// SPDX-License-Identifier: Apache-2.0
// Attention as the formula says it, with the scores of a block of query rows written out: S = Q K^T /
// sqrt(D), capped where asked for, W = softmax(S), out = W V.
//
// q (B, H, L, D), k v (B, Hkv, Lk, D) -> out (B, H, L, D) in the tensors' dtype, lse (B, H, L) in fp32 (fp64
// for fp64 tensors). Work: 4 D flops and one exponential a visible pair; bytes: K and V once per kRows query
// rows, and kRows * Lk scores in workspace written and read three times, which is what the tiled kernel
// avoids. Accumulation in fp32 (fp64 for fp64 tensors), sums in storage order. Vectorised only as far as the
// compiler does for the lowest processor it may assume. It is the baseline that a tiled kernel is held
// against and the second opinion on its results; never the right choice for speed.
// Error against fp64 on N(0,1) inputs: below 3e-6 of max|ref| in fp32.
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "kernels/attention/attention.hpp"
#include "kernels/kernel.hpp"

namespace bench::attention {
namespace {

/// Query rows whose scores are held at once: enough rows to give threads even shares, few enough that they
/// stay in L2.
constexpr std::int64_t kRows = 16;

template <class T>
using Sum = std::conditional_t<std::is_same_v<T, double>, double, float>;

template <class T>
struct Head {
  const T* q;   // (L, D)
  const T* k;   // (Lk, D)
  const T* v;   // (Lk, D)
  T* out;       // (L, D)
  Sum<T>* lse;  // (L)
};

template <class T>
void score_row(const AttentionProblem& p, const T* q, const T* k, std::int64_t keys, Sum<T>* scores) {
  const auto scale = static_cast<Sum<T>>(p.scale());
  for (std::int64_t j = 0; j < keys; ++j) {
    Sum<T> dot = 0;
    const T* key = k + j * p.head_dim;
#pragma omp simd reduction(+ : dot)
    for (std::int64_t d = 0; d < p.head_dim; ++d) dot += load(q[d]) * load(key[d]);
    scores[j] = dot * scale;
  }
}

template <class Real>
void cap_row(Real* scores, std::int64_t keys, Real cap) {
  for (std::int64_t j = 0; j < keys; ++j) scores[j] = cap * std::tanh(scores[j] / cap);
}

/// Scores become weights that sum to one; returns their log-sum-exp.
template <class Real>
Real softmax_row(Real* scores, std::int64_t keys) {
  if (keys == 0) return -std::numeric_limits<Real>::infinity();
  const Real max = *std::max_element(scores, scores + keys);
  Real sum = 0;
  for (std::int64_t j = 0; j < keys; ++j) sum += (scores[j] = std::exp(scores[j] - max));
  for (std::int64_t j = 0; j < keys; ++j) scores[j] /= sum;
  return max + std::log(sum);
}

template <class T>
void weigh_row(const AttentionProblem& p, const Sum<T>* weights, const T* v, std::int64_t keys, Sum<T>* acc,
               T* out) {
  std::fill_n(acc, p.head_dim, Sum<T>{0});
  for (std::int64_t j = 0; j < keys; ++j)
    for (std::int64_t d = 0; d < p.head_dim; ++d) acc[d] += weights[j] * load(v[j * p.head_dim + d]);
  for (std::int64_t d = 0; d < p.head_dim; ++d) out[d] = store<T>(acc[d]);
}

/// Rows [first, end) of one head of sequence b; `scores` holds (kRows, Lk) and one row of D behind it.
template <class T>
void attend_rows(const AttentionProblem& p, const Head<T>& head, std::int64_t b, std::int64_t first,
                 std::int64_t end, Sum<T>* scores) {
  Sum<T>* acc = scores + kRows * p.kv_length();
  const auto keys_of = [&](std::int64_t i) { return p.visible(b, i).size(); };
  const auto skip_of = [&](std::int64_t i) { return p.visible(b, i).first * p.head_dim; };
  const auto row_of = [&](std::int64_t i) { return scores + (i - first) * p.kv_length(); };
  for (std::int64_t i = first; i < end; ++i)
    score_row(p, head.q + i * p.head_dim, head.k + skip_of(i), keys_of(i), row_of(i));
  for (std::int64_t i = first; i < end && p.softcap > 0; ++i)
    cap_row(row_of(i), keys_of(i), static_cast<Sum<T>>(p.softcap));
  for (std::int64_t i = first; i < end; ++i) head.lse[i] = softmax_row(row_of(i), keys_of(i));
  for (std::int64_t i = first; i < end; ++i)
    weigh_row(p, row_of(i), head.v + skip_of(i), keys_of(i), acc, head.out + i * p.head_dim);
}

std::int64_t scratch_elements(const AttentionProblem& p) {
  return (kRows * p.kv_length() + p.head_dim + 15) / 16 * 16;
}

template <class T>
void attend_all(const AttentionProblem& p, Tensors& tensors, Context& context) {
  const std::int64_t blocks = (p.seq + kRows - 1) / kRows, extent = p.seq * p.head_dim;
  const std::int64_t kv_extent = p.kv_length() * p.head_dim;
  auto* const scratch = reinterpret_cast<Sum<T>*>(context.workspace.data());
  // One block of rows of one head is one task: 16 Lk D flops or more, against a microsecond to hand it out.
#pragma omp parallel for num_threads(static_cast <int>(p.threads)) schedule(dynamic)
  for (std::int64_t i = 0; i < p.batch * p.heads * blocks; ++i) {
    const std::int64_t h = i / blocks, kv = h / p.group(), first = i % blocks * kRows;
    const Head<T> head{tensors["q"].as<T>() + h * extent, tensors["k"].as<T>() + kv * kv_extent,
                       tensors["v"].as<T>() + kv * kv_extent, tensors["out"].as<T>() + h * extent,
                       tensors["lse"].as<Sum<T>>() + h * p.seq};
    attend_rows<T>(p, head, h / p.heads, first, std::min(first + kRows, p.seq),
                   scratch + omp_get_thread_num() * scratch_elements(p));
  }
}

std::int64_t workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  return p.threads * scratch_elements(p) * (p.dtype == DType::f64 ? 8 : 4);
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  dispatch(p.dtype, [&]<class T>() { attend_all<T>(p, tensors, context); });
}

const Registrar<Kernel> registrar{{
    .name = "attention/naive_cpu",
    .op = "attention",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "scores of a row block written out, plain loops: the baseline",
    .workspace_bytes = workspace_bytes,
    .run = run,
}};

}  // namespace
}  // namespace bench::attention
