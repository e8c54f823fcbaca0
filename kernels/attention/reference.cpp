// SPDX-License-Identifier: Apache-2.0
// The definition, term by term: s_j = q_i . k_j / sqrt(D) over the visible keys, c tanh(s_j / c) in its place where
// scores are capped, w_j = exp(s_j - max s), out_i = sum w_j v_j / sum w_j, lse_i = max s + log sum w_j.
#include "kernels/attention/reference.hpp"

#include <algorithm>

#include "kernels/attention/attention.hpp"
#include "kernels/attention/reference_bwd.hpp"
#include "kernels/attention/reference_row.hpp"

namespace bench::attention {
namespace {

/// w: weights of the keys from `first` on.
void weigh(const Row& w, std::int64_t first, View<const double, 4> v, std::int64_t b, std::int64_t h,
           double* out) {
  std::fill_n(out, v.extent[3], 0.0);
  for (std::size_t j = 0; j < w.size(); ++j) {
    add_scaled(w[j], &v(b, h, first + static_cast<std::int64_t>(j), 0), v.extent[3], out);
  }
}

}  // namespace

Tensors reference(const Problem& problem, const Tensors& inputs, std::span<const std::int64_t> rows) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.backward()) return reference_bwd(problem, inputs, rows);
  const auto q = view<double, 4>(inputs["q"]);
  const auto k = view<double, 4>(inputs["k"]), v = view<double, 4>(inputs["v"]);
  const auto row_count = static_cast<std::int64_t>(rows.size());
  Tensors results;
  results.add("out", Tensor(DType::f64, {p.batch, p.heads, row_count, p.head_dim}));
  results.add("lse", Tensor(DType::f64, {p.batch, p.heads, row_count}));
  const auto out = view<double, 4>(results["out"]);
  const auto lse = view<double, 3>(results["lse"]);

  for (std::int64_t b = 0; b < p.batch; ++b) {
    for (std::int64_t h = 0; h < p.heads; ++h) {
      const std::int64_t kv_head = h / p.group();
      for (std::int64_t i = 0; i < row_count; ++i) {
        const std::int64_t position = rows[static_cast<std::size_t>(i)];
        const KeyRange keys = p.visible(b, position);
        Row w = products(&q(b, h, position, 0), k, b, kv_head, keys, p.scale());
        cap(w, p.softcap);
        lse(b, h, i) = softmax(w);
        weigh(w, keys.first, v, b, kv_head, &out(b, h, i, 0));
      }
    }
  }
  return results;
}

}  // namespace bench::attention
