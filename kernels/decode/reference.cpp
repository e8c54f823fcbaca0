// SPDX-License-Identifier: Apache-2.0
// The definition, term by term: s_t = q . k_t / sqrt(D) over the sequence's tokens t, w_t = exp(s_t - max s),
// out = sum w_t v_t / sum w_t, lse = max s + log sum w_t, where k_t and v_t are looked up in the table.
#include "kernels/decode/reference.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/decode/decode.hpp"

namespace bench::decode {
namespace {

/// One query head: `slots` are the sequence's tokens in the pool, counted over all pages.
void attend(const double* q, View<const double, 3> k, View<const double, 3> v,
            const std::vector<std::int64_t>& slots, std::int64_t kv_head, double scale, double* out,
            double& lse) {
  const std::int64_t width = k.extent[2];
  std::vector<double> s;
  for (const std::int64_t slot : slots) {
    double dot = 0.0;
    for (std::int64_t d = 0; d < width; ++d) dot += q[d] * k(slot, kv_head, d);
    s.push_back(dot * scale);
  }
  const double max = *std::max_element(s.begin(), s.end());
  double sum = 0.0;
  for (double& x : s) sum += (x = std::exp(x - max));
  std::fill_n(out, width, 0.0);
  for (std::size_t t = 0; t < slots.size(); ++t)
    for (std::int64_t d = 0; d < width; ++d) out[d] += s[t] / sum * v(slots[t], kv_head, d);
  lse = max + std::log(sum);
}

}  // namespace

Tensors reference(const Problem& problem, const Tensors& inputs, std::span<const std::int64_t> rows) {
  const auto& p = problem_as<DecodeProblem>(problem);
  const auto table = block_table(p);
  const auto lengths = sequence_lengths(p);
  const auto q = view<double, 3>(inputs["q"]);
  // pages and their slots as one axis: (pages * page, Hkv, D)
  const View<const double, 3> k{inputs["k_cache"].as<double>(), {p.pages() * p.page, p.kv_heads, p.head_dim}};
  const View<const double, 3> v{inputs["v_cache"].as<double>(), k.extent};
  const auto count = static_cast<std::int64_t>(rows.size());
  Tensors results;
  results.add("out", Tensor(DType::f64, {count, p.heads, p.head_dim}));
  results.add("lse", Tensor(DType::f64, {count, p.heads}));
  const auto out = view<double, 3>(results["out"]);
  const auto lse = view<double, 2>(results["lse"]);

  for (std::int64_t row = 0; row < count; ++row) {
    const std::int64_t b = rows[static_cast<std::size_t>(row)];
    std::vector<std::int64_t> slots;
    for (std::int64_t t = 0; t < lengths[static_cast<std::size_t>(b)]; ++t)
      slots.push_back(table[static_cast<std::size_t>(b * p.pages_each() + t / p.page)] * p.page + t % p.page);
    for (std::int64_t h = 0; h < p.heads; ++h)
      attend(&q(b, h, 0), k, v, slots, h / p.group(), p.scale(), &out(row, h, 0), lse(row, h));
  }
  return results;
}

}  // namespace bench::decode
