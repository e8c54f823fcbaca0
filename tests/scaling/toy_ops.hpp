// SPDX-License-Identifier: Apache-2.0
// Two ops and a handful of kernels that compute nothing: enough for the planner, which only asks what things
// cost and need.
//   toy_pairs   flops = batch * seq^2, as attention       toy/plain toy/fancy (one rank), toy/ring (any
//   ranks), toy/huge (100 GiB scratch) toy_line    flops = batch * seq, as a scan            line/plain,
//   line/ranks (any ranks)
#pragma once

#include <memory>
#include <string>

#include "kernels/kernel.hpp"

namespace bench::toy {

struct ToyProblem : Problem {
  std::int64_t batch = 1, seq = 1, width = 1;
  bool causal = false;
};

inline std::unique_ptr<Problem> parse(const Params& params) {
  auto problem = std::make_unique<ToyProblem>();
  parse_common(params, *problem);
  problem->batch = get_int(params, "batch");
  problem->seq = get_int(params, "seq");
  problem->width = get_int(params, "width");
  problem->causal = get_bool(params, "causal");
  if (problem->seq < 1) usage_error(concat("seq = ", problem->seq, "; allowed: 1 or more"));
  return problem;
}
inline std::vector<TensorSpec> tensors(const Problem& problem, const char* name) {
  const auto& p = problem_as<ToyProblem>(problem);
  TensorSpec spec;
  spec.name = name;
  spec.dtype = p.dtype;
  spec.shape = {p.batch, p.seq, p.width};
  spec.sequence_axis = 1;
  return {spec};
}
inline std::vector<TensorSpec> inputs(const Problem& problem) {
  return tensors(problem, "x");
}
inline std::vector<TensorSpec> outputs(const Problem& problem) {
  return tensors(problem, "out");
}
inline double tokens(const Problem& problem) {
  const auto& p = problem_as<ToyProblem>(problem);
  return static_cast<double>(p.batch) * static_cast<double>(p.seq);
}
inline Cost pair_cost(const Problem& problem) {
  const double flops = tokens(problem) * static_cast<double>(problem_as<ToyProblem>(problem).seq);
  return {.flops = flops, .bytes = 8.0 * tokens(problem), .exps = 0.0, .wire_bytes = 0.0};
}
inline Cost line_cost(const Problem& problem) {
  return {.flops = tokens(problem), .bytes = 8.0 * tokens(problem), .exps = 0.0, .wire_bytes = 0.0};
}
inline std::string no_causal(const Problem& problem) {
  return problem_as<ToyProblem>(problem).causal ? "fancy knows no causal mask" : "";
}
inline std::int64_t huge_workspace(const Problem&) {
  return std::int64_t{100} << 30;
}

inline Op make_op(std::string name, Cost (*cost)(const Problem&)) {
  Op op{};
  op.name = std::move(name);
  op.help = "a test's op";
  op.params = {{"batch", std::int64_t{1}, "sequences"},
               {"seq", std::int64_t{256}, "tokens"},
               {"width", std::int64_t{8}, "elements"},
               {"causal", false, "mask"}};
  op.parse = parse;
  op.inputs = inputs;
  op.outputs = outputs;
  op.cost = cost;
  return op;
}
inline Kernel make_kernel(std::string name, std::string op, bool collective) {
  Kernel kernel{};
  kernel.name = std::move(name);
  kernel.op = std::move(op);
  kernel.dtypes = {DType::f32, DType::bf16};
  kernel.collective = collective;
  kernel.about = "a test's kernel";
  return kernel;
}
inline Kernel with_supports(Kernel kernel, std::string (*supports)(const Problem&)) {
  kernel.supports = supports;
  return kernel;
}
inline Kernel with_workspace(Kernel kernel, std::int64_t (*bytes)(const Problem&)) {
  kernel.workspace_bytes = bytes;
  return kernel;
}

inline const Registrar<Op> kPairs{make_op("toy_pairs", pair_cost)};
inline const Registrar<Op> kLine{make_op("toy_line", line_cost)};
inline const Registrar<Kernel> kPlain{make_kernel("toy/plain", "toy_pairs", false)};
inline const Registrar<Kernel> kFancy{with_supports(make_kernel("toy/fancy", "toy_pairs", false), no_causal)};
inline const Registrar<Kernel> kRing{make_kernel("toy/ring", "toy_pairs", true)};
inline const Registrar<Kernel> kHuge{
    with_workspace(make_kernel("toy/huge", "toy_pairs", false), huge_workspace)};
inline const Registrar<Kernel> kLinePlain{make_kernel("line/plain", "toy_line", false)};
inline const Registrar<Kernel> kLineRanks{make_kernel("line/ranks", "toy_line", true)};

/// Defaults of the toy ops with the common parameters.
inline Params toy_params() {
  return {{"batch", std::int64_t{1}},     {"seq", std::int64_t{256}},
          {"width", std::int64_t{8}},     {"causal", false},
          {"ranks", std::int64_t{1}},     {"threads", std::int64_t{1}},
          {"dtype", std::string("fp32")}, {"pass", std::string("fwd")}};
}

}  // namespace bench::toy
