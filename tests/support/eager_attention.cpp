// SPDX-License-Identifier: Apache-2.0
#include "tests/support/eager_attention.hpp"

#include <algorithm>
#include <cmath>
#include <random>

#include "kernels/attention/reference_row.hpp"
#include "tests/support/run_case.hpp"

namespace bench::support {
namespace {

using attention::add_scaled;
using attention::AttentionProblem;
using attention::KeyRange;
using attention::Row;

double rounded(double x, DType dtype) {
  return dispatch(dtype, [&]<class T>() { return static_cast<double>(load(store<T>(x))); });
}
void round_all(Row& row, DType dtype) {
  for (double& x : row) x = rounded(x, dtype);
}
void round_all(Tensor& tensor, DType dtype) {
  for (std::int64_t i = 0; i < tensor.count(); ++i) tensor.set(i, rounded(tensor.at(i), dtype));
}

Tensor scaled_by(const Tensor& x, double factor, DType dtype) {
  Tensor scaled(DType::f64, x.shape());
  for (std::int64_t i = 0; i < x.count(); ++i) scaled.set(i, rounded(x.at(i) * factor, dtype));
  return scaled;
}

Tensor zeros_like(const Tensor& other) {
  Tensor zeros(DType::f64, other.shape());
  for (std::int64_t i = 0; i < zeros.count(); ++i) zeros.set(i, 0.0);
  return zeros;
}

/// The row's weights, and the slope of the cap at each score.
struct Scored {
  Row weights, slope;
};

Scored score(const AttentionProblem& p, const double* query, View<const double, 4> scaled_keys, std::int64_t b, std::int64_t head, KeyRange keys) {
  Scored row{attention::products(query, scaled_keys, b, head, keys, 1.0), {}};
  round_all(row.weights, p.dtype);
  row.slope.assign(row.weights.size(), 1.0);
  for (std::size_t j = 0; j < row.weights.size() && p.softcap > 0; ++j) {
    const auto c = static_cast<double>(p.softcap);
    const double bent = rounded(std::tanh(rounded(row.weights[j] / c, p.dtype)), p.dtype);
    row.slope[j] = rounded(1.0 - bent * bent, p.dtype);
    row.weights[j] = rounded(c * bent, p.dtype);
  }
  attention::softmax(row.weights);
  round_all(row.weights, p.dtype);
  return row;
}

/// Gradients of one query row; those of keys are of the scaled keys.
void add_gradients(const AttentionProblem& p, const Scored& row, const Row& dweights, KeyRange keys, const double* query, const double* dout,
                   const double* scaled_keys, double* dq, double* dk, double* dv) {
  double mean = 0.0;
  for (std::size_t j = 0; j < dweights.size(); ++j) mean += row.weights[j] * dweights[j];
  for (std::int64_t key = keys.first; key < keys.end; ++key) {
    const auto j = static_cast<std::size_t>(key - keys.first);
    double ds = rounded(row.weights[j] * (dweights[j] - mean), p.dtype);
    if (p.softcap > 0) ds = rounded(ds * row.slope[j], p.dtype);
    add_scaled(ds, scaled_keys + key * p.head_dim, p.head_dim, dq);
    add_scaled(ds, query, p.head_dim, dk + key * p.head_dim);
    add_scaled(row.weights[j], dout, p.head_dim, dv + key * p.head_dim);
  }
}

/// What row i of head (b, h) adds to the results.
void add_row(const AttentionProblem& p, const Tensors& inputs, const Tensor& scaled, std::int64_t b, std::int64_t h, std::int64_t i, Tensors& results) {
  const auto q = view<double, 4>(inputs["q"]), v = view<double, 4>(inputs["v"]), k = view<double, 4>(scaled);
  const KeyRange keys = p.visible(b, i);
  const std::int64_t kv_head = h / p.group();
  const Scored row = score(p, &q(b, h, i, 0), k, b, kv_head, keys);
  if (!p.backward()) {
    auto out = view<double, 4>(results["out"]);
    for (std::int64_t j = keys.first; j < keys.end; ++j)
      add_scaled(row.weights[static_cast<std::size_t>(j - keys.first)], &v(b, kv_head, j, 0), p.head_dim, &out(b, h, i, 0));
    return;
  }
  const auto dout = view<double, 4>(inputs["dout"]);
  Row dweights = attention::products(&dout(b, h, i, 0), v, b, kv_head, keys, 1.0);
  round_all(dweights, p.dtype);
  auto dq = view<double, 4>(results["dq"]), dk = view<double, 4>(results["dk"]), dv = view<double, 4>(results["dv"]);
  add_gradients(p, row, dweights, keys, &q(b, h, i, 0), &dout(b, h, i, 0), &k(b, kv_head, 0, 0), &dq(b, h, i, 0), &dk(b, kv_head, 0, 0), &dv(b, kv_head, 0, 0));
}

}  // namespace

Tensors eager_attention(const AttentionProblem& p, const Tensors& inputs) {
  const Tensor scaled = scaled_by(inputs["k"], p.scale(), p.dtype);
  Tensors results;
  if (!p.backward()) results.add("out", zeros_like(inputs["q"]));
  for (const auto& [name, like] : {std::pair("dq", "q"), std::pair("dk", "k"), std::pair("dv", "v")})
    if (p.backward()) results.add(name, zeros_like(inputs[like]));
  for (std::int64_t b = 0; b < p.batch; ++b)
    for (std::int64_t h = 0; h < p.heads; ++h)
      for (std::int64_t i = 0; i < p.seq; ++i) add_row(p, inputs, scaled, b, h, i, results);
  for (auto& [name, tensor] : results.all()) round_all(tensor, p.dtype);
  if (p.backward()) results["dk"] = scaled_by(results["dk"], p.scale(), p.dtype);
  return results;
}

std::string RuleError::text() const { return concat(name, " is off by ", error, ", allowed ", allowed); }

Fa3Rule::Fa3Rule(const AttentionProblem& p, const Tensors& inputs) : rounded_(reference_of(find_op("attention"), p, inputs)) {
  const Tensors eager = eager_attention(p, widen(inputs));
  for (auto& [name, want] : rounded_.all()) {
    const bool is_lse = name == "lse";
    round_all(want, is_lse ? DType::f32 : p.dtype);
    double eager_off = 0.0, grain = 0.0;
    for (std::int64_t i = 0; i < want.count() && !is_lse; ++i) {
      eager_off = std::max(eager_off, std::abs(eager[name].at(i) - want.at(i)));
      grain = std::max(grain, std::abs(rounded(rounded(want.at(i) + 0.3, p.dtype) - 0.3, p.dtype) - want.at(i)));
    }
    allowed_.push_back(is_lse ? 1e-3 : (p.softcap > 0 ? 3.0 : 2.0) * eager_off + 2.0 * grain + (p.softcap > 0 && p.backward() ? 3e-4 : 0.0));
  }
}

std::vector<RuleError> Fa3Rule::errors(const Tensors& outputs) const {
  std::vector<RuleError> errors;
  for (const auto& [name, want] : rounded_.all()) {
    RuleError e{name, 0.0, allowed_[errors.size()]};
    for (std::int64_t i = 0; i < want.count(); ++i) {
      const double got = outputs[name].at(i);
      if (got != want.at(i)) e.error = std::isnan(got) ? HUGE_VAL : std::max(e.error, std::abs(got - want.at(i)));
    }
    errors.push_back(e);
  }
  return errors;
}

void add_outliers(Tensors& inputs, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::bernoulli_distribution rare(0.001);
  for (auto& [name, tensor] : inputs.all())
    for (std::int64_t i = 0; i < tensor.count(); ++i) tensor.set(i, normal(random) + (rare(random) ? 10.0 * normal(random) : 0.0));
}

}  // namespace bench::support
