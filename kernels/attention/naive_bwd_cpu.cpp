// SPDX-License-Identifier: Apache-2.0
// Attention's backward pass as the chain rule says it, one query row at a time: with P_ij = exp(s_ij -
// lse_i), s = q k / sqrt(D), delta_i = dout_i . out_i and dS_ij = P_ij (dout_i . v_j - delta_i),
//   dV_j = sum_i P_ij dout_i,  dQ_i = sum_j dS_ij k_j / sqrt(D),  dK_j = sum_i dS_ij q_i / sqrt(D).
// Where scores are capped, s = c t, t = tanh(q k / (c sqrt(D))), and dS_ij takes the factor 1 - t^2.
//
// q dout (B, H, L, D), k v (B, Hkv, Lk, D) -> dq (B, H, L, D), dk dv (B, Hkv, Lk, D) in the tensors' dtype; out
// (B, H, L, D) and lse (B, H, L) come from a forward pass in prepare. Work: 10 D flops and one exponential a
// visible pair; bytes: K, V, dK and dV of a head once per query row, which is what tiles avoid. Accumulation
// in fp32 (fp64 for fp64 tensors), sums over queries in storage order, heads of a group one after the other.
// Threads share the key/value heads: what a head's rows add to dK and dV meets in one place. The baseline
// that tiled kernels are held against and the second opinion on their results; never the right choice for
// speed. Error against fp64 on N(0,1) inputs: below 4e-6 of max|ref| in fp32.
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/attention/attention.hpp"
#include "kernels/attention/carve.hpp"
#include "kernels/attention/saved_forward.hpp"
#include "kernels/attention/tile.hpp"
#include "kernels/kernel.hpp"

namespace bench::attention {
namespace {

template <class Real>
struct Workspace {
  Real* dk = nullptr;  // (B * Hkv, Lk, D), the sums
  Real* dv = nullptr;
  Slices rows;  // per thread: one row of D

  static Workspace carve(Carver& carver, const AttentionProblem& p) {
    Workspace workspace;
    const std::int64_t sums = p.batch * p.kv_heads * p.kv_length() * p.head_dim;
    workspace.dk = carver.take<Real>(sums);
    workspace.dv = carver.take<Real>(sums);
    Carver row;
    row.take<Real>(p.head_dim);
    workspace.rows = carver.take_slices(p.threads, row);
    return workspace;
  }
};

template <class T>
RealOf<T> dot(const T* x, const T* y, std::int64_t width) {
  RealOf<T> sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t d = 0; d < width; ++d) sum += static_cast<RealOf<T>>(load(x[d]) * load(y[d]));
  return sum;
}

template <class T>
void add_scaled(RealOf<T> a, const T* x, std::int64_t width, RealOf<T>* y) {
  for (std::int64_t d = 0; d < width; ++d) y[d] += a * static_cast<RealOf<T>>(load(x[d]));
}

template <class T>
void store_row(const RealOf<T>* sums, std::int64_t count, T* to) {
  for (std::int64_t d = 0; d < count; ++d) to[d] = store<T>(sums[d]);
}

/// A score as it is used, and its slope by the score that it was.
template <class Real>
std::pair<Real, Real> capped(Real score, Real cap) {
  if (cap == Real{0}) return {score, Real{1}};
  const Real t = std::tanh(score / cap);
  return {cap * t, Real{1} - t * t};
}

/// Everything of one query row; dk and dv are the sums of its key/value head.
template <class T>
void row_backward(const AttentionProblem& p, Tensors& tensors, std::int64_t head, std::int64_t i,
                  RealOf<T>* dq, RealOf<T>* dk, RealOf<T>* dv) {
  using Real = RealOf<T>;
  const std::int64_t width = p.head_dim, row = (head * p.seq + i) * width;
  const KeyRange keys = p.visible(head / p.heads, i);
  const T *q = tensors["q"].as<T>() + row, *dout = tensors["dout"].as<T>() + row;
  const T* k = tensors["k"].as<T>() + head / p.group() * p.kv_length() * width;
  const T* v = tensors["v"].as<T>() + head / p.group() * p.kv_length() * width;
  const Real lse = tensors["lse"].as<Real>()[head * p.seq + i], scale = static_cast<Real>(p.scale());
  const Real delta = dot(dout, tensors["out"].as<T>() + row, width);
  std::fill_n(dq, width, Real{0});
  for (std::int64_t j = keys.first; j < keys.end; ++j) {
    const auto [score, slope] = capped(dot(q, k + j * width, width) * scale, static_cast<Real>(p.softcap));
    const Real weight = std::exp(score - lse);
    const Real ds = weight * (dot(dout, v + j * width, width) - delta) * scale * slope;
    add_scaled(weight, dout, width, dv + j * width);
    add_scaled(ds, q, width, dk + j * width);
    add_scaled(ds, k + j * width, width, dq);
  }
  store_row(dq, width, tensors["dq"].as<T>() + row);
}

template <class T>
void all_backward(const AttentionProblem& p, Tensors& tensors, Context& context) {
  using Real = RealOf<T>;
  Carver carver(context.workspace);
  const auto workspace = Workspace<Real>::carve(carver, p);
  const std::int64_t extent = p.kv_length() * p.head_dim;
#pragma omp parallel for num_threads(static_cast <int>(p.threads)) schedule(dynamic)
  for (std::int64_t kv = 0; kv < p.batch * p.kv_heads; ++kv) {
    Real *dk = workspace.dk + kv * extent, *dv = workspace.dv + kv * extent;
    Real* const dq = Carver(workspace.rows[omp_get_thread_num()]).take<Real>(p.head_dim);
    std::fill_n(dk, extent, Real{0});
    std::fill_n(dv, extent, Real{0});
    for (std::int64_t head = kv * p.group(); head < (kv + 1) * p.group(); ++head)
      for (std::int64_t i = 0; i < p.seq; ++i) row_backward<T>(p, tensors, head, i, dq, dk, dv);
    store_row(dk, extent, tensors["dk"].as<T>() + kv * extent);
    store_row(dv, extent, tensors["dv"].as<T>() + kv * extent);
  }
}

std::int64_t workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  return dispatch(p.dtype, [&]<class T>() {
    Carver carver;
    Workspace<RealOf<T>>::carve(carver, p);
    return std::max(carver.used_bytes(), save_forward_workspace_bytes(p));
  });
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  save_forward(problem_as<AttentionProblem>(problem), tensors, context);
  return nullptr;
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  dispatch(p.dtype, [&]<class T>() { all_backward<T>(p, tensors, context); });
}

const Registrar<Kernel> registrar{{
    .name = "attention/naive_bwd_cpu",
    .op = "attention",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "backward by the chain rule, one query row at a time: the baseline",
    .workspace_bytes = workspace_bytes,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::attention
