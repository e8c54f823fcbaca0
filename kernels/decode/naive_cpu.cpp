// SPDX-License-Identifier: Apache-2.0
// Decode attention as the formula says it: s_t = q . k_t / sqrt(D), w = softmax(s), out = sum_t w_t v_t, a
// look-up in the block table for every token.
//
// q (B, H, D), k_cache v_cache (pages, page, Hkv, D) -> out (B, H, D) in the tensors' dtype, lse (B, H) in
// fp32 (fp64 for fp64 tensors). Work: 4 D flops and one exponential a query head and token; bytes: K and V
// once per query head, so H / Hkv times what they need, and L scores a head written and read three times.
// Accumulation in fp32 (fp64 for fp64 tensors), in the order of the tokens. Vectorised only as far as the
// compiler does for the lowest processor it may assume. Threads take query heads. It is the baseline that the
// other kernels are held against and the second opinion on their results; never the right choice for speed.
// Error against fp64 on N(0,1) inputs: below 3e-6 of max|ref| in fp32.
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "kernels/decode/cache_map.hpp"

namespace bench::decode {
namespace {

template <class T>
using Sum = std::conditional_t<std::is_same_v<T, double>, double, float>;

/// Scores become weights that sum to one; returns their log-sum-exp.
template <class Real>
Real softmax(Real* scores, std::int64_t tokens) {
  const Real max = *std::max_element(scores, scores + tokens);
  Real sum = 0;
  for (std::int64_t t = 0; t < tokens; ++t) sum += (scores[t] = std::exp(scores[t] - max));
  for (std::int64_t t = 0; t < tokens; ++t) scores[t] /= sum;
  return max + std::log(sum);
}

/// One query head; `scratch` holds L scores and a row of D behind them.
template <class T>
void attend(const DecodeProblem& p, const CacheMap& map, Tensors& tensors, std::int64_t b, std::int64_t h,
            Sum<T>* scratch) {
  const std::int64_t tokens = map.lengths[static_cast<std::size_t>(b)], head = h / p.group() * p.head_dim;
  const std::int64_t row = b * p.heads + h;
  const T* q = tensors["q"].as<T>() + row * p.head_dim;
  const T* k = tensors["k_cache"].as<T>() + head;
  const T* v = tensors["v_cache"].as<T>() + head;
  T* out = tensors["out"].as<T>() + row * p.head_dim;
  Sum<T>* const acc = scratch + p.seq;
  for (std::int64_t t = 0; t < tokens; ++t) {
    const T* key = k + map.slot(b, t) * p.row();
    Sum<T> dot = 0;
#pragma omp simd reduction(+ : dot)
    for (std::int64_t d = 0; d < p.head_dim; ++d) dot += load(q[d]) * load(key[d]);
    scratch[t] = dot * static_cast<Sum<T>>(p.scale());
  }
  tensors["lse"].as<Sum<T>>()[row] = softmax(scratch, tokens);
  std::fill_n(acc, p.head_dim, Sum<T>{0});
  for (std::int64_t t = 0; t < tokens; ++t) {
    const T* value = v + map.slot(b, t) * p.row();
    for (std::int64_t d = 0; d < p.head_dim; ++d) acc[d] += scratch[t] * load(value[d]);
  }
  for (std::int64_t d = 0; d < p.head_dim; ++d) out[d] = store<T>(acc[d]);
}

std::int64_t scratch_elements(const DecodeProblem& p) {
  return round_up(p.seq + p.head_dim, 16);
}

std::int64_t workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<DecodeProblem>(problem);
  return p.threads * scratch_elements(p) * size_of(accumulator_of(p.dtype));
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<DecodeProblem>(problem);
  const auto& map = static_cast<const CacheMap&>(*context.prepared);
  dispatch(p.dtype, [&]<class T>() {
    auto* const scratch = reinterpret_cast<Sum<T>*>(context.workspace.data());
#pragma omp parallel for num_threads(static_cast <int>(p.threads)) schedule(dynamic)
    for (std::int64_t i = 0; i < p.batch * p.heads; ++i)
      attend<T>(p, map, tensors, i / p.heads, i % p.heads,
                scratch + omp_get_thread_num() * scratch_elements(p));
  });
}

const Registrar<Kernel> registrar{{
    .name = "decode/naive_cpu",
    .op = "decode",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "a head at a time, plain loops over the block table: the baseline",
    .workspace_bytes = workspace_bytes,
    .prepare = prepare_map,
    .run = run,
}};

}  // namespace
}  // namespace bench::decode
