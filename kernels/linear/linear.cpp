// SPDX-License-Identifier: Apache-2.0
// Parameters, fp64 oracle, cost model and tolerance of the linear op, and its registration.
#include "kernels/linear/linear.hpp"

#include <cmath>
#include <vector>

#include "kernels/tolerance.hpp"

namespace bench::linear {
namespace {

/// The weights that the recipe leaves, (N, K) in fp64.
Tensor weights_in_use(const LinearProblem& p, const Tensor& w) {
  Tensor used(DType::f64, {p.n, p.k});
  const Quantised q = quantise(w, p.recipe, p.dtype, 1);
  for (std::int64_t n = 0; n < p.n; ++n) {
    for (std::int64_t i = 0; i < p.k; ++i) {
      const auto at =
          static_cast<std::size_t>(n * q.groups() + (p.recipe.group == 0 ? 0 : i / p.recipe.group));
      const double code = q.codes[static_cast<std::size_t>(n * p.k + i)];
      used.set(n * p.k + i, static_cast<double>(q.scale[at]) * code + static_cast<double>(q.zero[at]));
    }
  }
  return used;
}

}  // namespace

std::int64_t weight_bytes(const LinearProblem& p) {
  if (!p.recipe.quantised()) return p.n * p.k * size_of(p.dtype);
  const std::int64_t figures = p.recipe.bits == 4 ? 2 : 1;  // scale and zero point, or a scale
  return (p.n * p.k * p.recipe.bits + 7) / 8 + figures * p.n * p.recipe.groups(p.k) * size_of(p.dtype);
}

namespace {

/// y at `rows` of x, with these weights.
Tensors answer(const LinearProblem& p, const Tensors& inputs, const Tensor& weights, std::span<const std::int64_t> rows) {
  const auto x = view<double, 2>(inputs["x"]);
  const auto w = view<double, 2>(weights);
  const auto bias = view<double, 1>(inputs["bias"]);
  Tensors outputs;
  outputs.add("y", Tensor(DType::f64, {static_cast<std::int64_t>(rows.size()), p.n}));
  const auto y = view<double, 2>(outputs["y"]);
  std::vector<double> row(static_cast<std::size_t>(p.k));
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::int64_t i = 0; i < p.k; ++i) row[static_cast<std::size_t>(i)] = x(rows[r], i);
    normalise(p.norm, row);
    for (std::int64_t n = 0; n < p.n; ++n) {
      double sum = bias(n);
      for (std::int64_t i = 0; i < p.k; ++i) sum += row[static_cast<std::size_t>(i)] * w(n, i);
      y(r, n) = activate(p.activation, sum);
    }
  }
  return outputs;
}

}  // namespace

Tensors linear_reference(const Problem& problem, const Tensors& inputs, std::span<const std::int64_t> rows) {
  const auto& p = problem_as<LinearProblem>(problem);
  if (!p.recipe.quantised()) return answer(p, inputs, inputs["w"], rows);
  return answer(p, inputs, weights_in_use(p, inputs["w"]), rows);
}

std::vector<Figure> linear_figures(const Problem& problem, const Tensors& inputs, std::span<const std::int64_t> rows,
                                   const Tensors& quantised) {
  const auto& p = problem_as<LinearProblem>(problem);
  if (!p.recipe.quantised()) return {};
  const Tensors whole = answer(p, inputs, inputs["w"], rows);
  double lost = 0.0, all = 0.0, lost_squares = 0.0, squares = 0.0;
  for (std::int64_t i = 0; i < whole["y"].count(); ++i) {
    const double value = whole["y"].at(i), error = quantised["y"].at(i) - value;
    lost += std::abs(error), all += std::abs(value);
    lost_squares += error * error, squares += value * value;
  }
  std::vector<Figure> figures;
  if (all > 0.0) figures.push_back({"quantisation_error", "1", lost / all});
  if (squares > 0.0 && lost_squares > 0.0)
    figures.push_back({"quantisation_snr", "dB", 10.0 * std::log10(squares / lost_squares)});
  return figures;
}

namespace {

std::unique_ptr<Problem> parse(const Params& params) {
  auto problem = std::make_unique<LinearProblem>();
  parse_common(params, *problem);
  problem->m = positive(params, "tokens");
  problem->n = positive(params, "out_features");
  problem->k = positive(params, "in_features");
  problem->recipe = parse_recipe(get_string(params, "recipe"));
  problem->norm = parse_norm(get_string(params, "norm"));
  problem->activation = parse_activation(get_string(params, "activation"));
  return problem;
}

/// The rows of x are what a check may leave out: tokens, as a sequence has them.
std::vector<TensorSpec> inputs(const Problem& problem) {
  const auto& p = problem_as<LinearProblem>(problem);
  return {make_spec("x", p.dtype, {p.m, p.k}, 0), make_spec("w", p.dtype, {p.n, p.k}, -1),
          make_spec("bias", p.dtype, {p.n}, -1)};
}

std::vector<TensorSpec> outputs(const Problem& problem) {
  const auto& p = problem_as<LinearProblem>(problem);
  return {make_spec("y", p.dtype, {p.m, p.n}, 0)};
}

/// FLOPs: a multiply and an add for each of M N K products, whatever the weights are stored in. Bytes: x, the
/// weights as the recipe stores them and bias read once, y written once.
Cost cost(const Problem& problem) {
  const auto& p = problem_as<LinearProblem>(problem);
  Cost cost;
  cost.flops = 2.0 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  cost.bytes = static_cast<double>((p.m * p.k + p.n + p.m * p.n) * size_of(p.dtype) + weight_bytes(p));
  return cost;
}

std::vector<std::int64_t> positions(const Problem& problem, std::int64_t rank) {
  return contiguous_positions(problem_as<LinearProblem>(problem).m, problem.ranks, rank);
}

double reference_ops_per_row(const Problem& problem) {
  const auto& p = problem_as<LinearProblem>(problem);
  return 2.0 * static_cast<double>(p.n) * static_cast<double>(p.k);
}

/// accumulation: a sum of K products of N(0, 1) values is of order sqrt(K), and the rounding of its partial sums comes
/// to some 0.2 eps K, so relative to the output it grows as sqrt(K). Of few outputs the largest can be small by chance:
/// 64 eps leave room for that. storage: half an eps for the output, half for a product that is rounded before the bias
/// is added, as LibTorch's packed operators do; with a norm as much again for an x that is rounded after it.
///
/// relu, silu and their like grow as the sum does: twice its error, for slopes up to 1.1 and outputs whose largest is
/// smaller than the sum's. sigmoid, tanh and relu6 are bounded, while the sum's error stays in proportion to its
/// largest value, 4 sqrt(K): it meets a slope of up to 1 where the sum is near zero. Of 16-bit weights or x that are
/// rounded the sum's error is 0.3 eps sqrt(K), four times that for the largest of many.
double tolerance(const Problem& problem, std::string_view) {
  const auto& p = problem_as<LinearProblem>(problem);
  const double root = std::sqrt(static_cast<double>(p.k));
  ErrorFactors factors{.accumulation = 64.0 + root, .storage = p.norm == Norm::none ? 1.0 : 2.0};
  if (p.activation == Activation::sigmoid || p.activation == Activation::tanh || p.activation == Activation::relu6) {
    factors.accumulation *= 2.0 + 4.0 * root;
    factors.storage += 1.25 * root;
  } else if (p.activation != Activation::none) {
    factors.accumulation *= 2.0, factors.storage *= 2.0;
  }
  return rounding_tolerance(p.dtype, factors);
}

const Registrar<Op> registrar{{
    .name = "linear",
    .help = "linear layer y = act(norm(x) w^T + bias), weights as they are or quantised",
    .params = {{"tokens", std::int64_t{1}, "rows of x (M)"},
               {"out_features", std::int64_t{4096}, "outputs (N)"},
               {"in_features", std::int64_t{4096}, "inputs (K)"},
               {"recipe", std::string("none"),
                "how weights are stored: none, int8wo, int4wo-G, int4wo-G-hqq with G = 32 64 128 256"},
               {"norm", std::string("none"), "before the layer: none, layer (LayerNorm of x, no gain or shift)"},
               {"activation", std::string("none"),
                "after it: none relu leakyrelu relu6 sigmoid tanh silu gelu hardswish"}},
    .parse = parse,
    .inputs = inputs,
    .outputs = outputs,
    .cost = cost,
    .positions = positions,
    .reference = linear_reference,
    .reference_ops_per_row = reference_ops_per_row,
    .tolerance = tolerance,
    .figures = linear_figures,
}};

}  // namespace
}  // namespace bench::linear
