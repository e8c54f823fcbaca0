// SPDX-License-Identifier: Apache-2.0
// The chain rule, term by term. With P_i = softmax(q_i K^T / sqrt(D)), out_i = P_i V and a loss whose
// gradient by out_i is dout_i:
//   dP_ij = dout_i . v_j,  dS_ij = P_ij (dP_ij - sum_l P_il dP_il),
//   dv_j = sum_i P_ij dout_i,  dq_i = sum_j dS_ij k_j / sqrt(D),  dk_j = sum_i dS_ij q_i / sqrt(D).
// The sum over l is dout_i . out_i, which kernels use; here the definition needs no output. Where scores are capped,
// s' = c tanh(s / c), dS' by the formula above has to pass the cap, too: dS_ij = dS'_ij (1 - (s'_ij / c)^2). Grouped
// query heads add up in dk and dv of their key/value head.
#include "kernels/attention/reference_bwd.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "kernels/attention/attention.hpp"
#include "kernels/attention/reference_row.hpp"

namespace bench::attention {
namespace {

/// dP becomes dS in place.
void through_softmax(const Row& p, Row& dp) {
  double mean = 0.0;
  for (std::size_t j = 0; j < p.size(); ++j) mean += p[j] * dp[j];
  for (std::size_t j = 0; j < p.size(); ++j) dp[j] = p[j] * (dp[j] - mean);
}

/// dS' becomes dS in place; s' holds capped scores.
void through_cap(const Row& capped, std::int64_t softcap, Row& ds) {
  const auto c = static_cast<double>(softcap);
  for (std::size_t j = 0; j < ds.size(); ++j) ds[j] *= softcap > 0 ? 1.0 - capped[j] / c * (capped[j] / c) : 1.0;
}

struct Gradients {
  View<double, 4> dq, dk, dv;
};

/// What query row `position` of head (b, h) adds to the gradients at the chosen rows of queries and of keys.
void add_row(const AttentionProblem& p, const Tensors& inputs, std::span<const std::int64_t> rows,
             std::span<const std::int64_t> key_rows, std::int64_t b, std::int64_t h, std::int64_t position,
             const Gradients& out) {
  const auto q = view<double, 4>(inputs["q"]), k = view<double, 4>(inputs["k"]);
  const auto v = view<double, 4>(inputs["v"]), dout = view<double, 4>(inputs["dout"]);
  const std::int64_t kv_head = h / p.group(), width = p.head_dim;
  const KeyRange keys = p.visible(b, position);
  const double* const query = &q(b, h, position, 0);
  const double* const grad = &dout(b, h, position, 0);
  Row capped = products(query, k, b, kv_head, keys, p.scale());
  cap(capped, p.softcap);
  Row weights = capped;
  softmax(weights);
  Row ds = products(grad, v, b, kv_head, keys, 1.0);
  through_softmax(weights, ds);
  through_cap(capped, p.softcap, ds);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    if (rows[r] != position) continue;
    for (std::int64_t j = keys.first; j < keys.end; ++j)
      add_scaled(ds[static_cast<std::size_t>(j - keys.first)] * p.scale(), &k(b, kv_head, j, 0), width,
                 &out.dq(b, h, static_cast<std::int64_t>(r), 0));
  }
  for (std::size_t r = 0; r < key_rows.size(); ++r) {
    if (key_rows[r] < keys.first || key_rows[r] >= keys.end) continue;
    const auto j = static_cast<std::size_t>(key_rows[r] - keys.first);
    add_scaled(ds[j] * p.scale(), query, width, &out.dk(b, kv_head, static_cast<std::int64_t>(r), 0));
    add_scaled(weights[j], grad, width, &out.dv(b, kv_head, static_cast<std::int64_t>(r), 0));
  }
}

}  // namespace

Tensors reference_bwd(const Problem& problem, const Tensors& inputs, std::span<const std::int64_t> rows) {
  const auto& p = problem_as<AttentionProblem>(problem);
  std::vector<std::int64_t> key_rows(rows.begin(), rows.end());
  if (!p.own_keys()) {  // no sequence axis: whole
    key_rows.resize(static_cast<std::size_t>(p.kv_length()));
    std::iota(key_rows.begin(), key_rows.end(), std::int64_t{0});
  }
  Tensors results;
  for (const char* name : {"dq", "dk", "dv"}) {
    const std::int64_t heads = name[1] == 'q' ? p.heads : p.kv_heads;
    const auto count = static_cast<std::int64_t>(name[1] == 'q' ? rows.size() : key_rows.size());
    Tensor& tensor = results.add(name, Tensor(DType::f64, {p.batch, heads, count, p.head_dim}));
    std::fill_n(tensor.as<double>(), tensor.count(), 0.0);
  }
  const Gradients out{view<double, 4>(results["dq"]), view<double, 4>(results["dk"]),
                      view<double, 4>(results["dv"])};
  for (std::int64_t b = 0; b < p.batch; ++b)
    for (std::int64_t h = 0; h < p.heads; ++h)
      for (std::int64_t i = 0; i < p.seq; ++i) add_row(p, inputs, rows, key_rows, b, h, i, out);
  return results;
}

}  // namespace bench::attention
