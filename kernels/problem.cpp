// SPDX-License-Identifier: Apache-2.0
#include "kernels/problem.hpp"

namespace bench {

const std::vector<ParamSpec>& common_params() {
  static const std::vector<ParamSpec> specs{
      {"ranks", std::int64_t{1}, "ranks that share one problem (P)"},
      {"threads", std::int64_t{1}, "threads per rank"},
      {"dtype", std::string("fp32"), "element type of inputs and outputs: fp64 fp32 bf16 fp16"},
      {"pass", std::string("fwd"), "fwd or bwd"},
  };
  return specs;
}

std::int64_t positive(const Params& params, const std::string& name) {
  const std::int64_t value = get_int(params, name);
  if (value < 1) usage_error(concat(name, " = ", value, "; allowed: 1 or more"));
  return value;
}

void parse_common(const Params& params, Problem& problem) {
  problem.dtype = parse_dtype(get_string(params, "dtype"));
  problem.pass = get_string(params, "pass");
  problem.ranks = get_int(params, "ranks");
  problem.threads = get_int(params, "threads");
  if (problem.pass != "fwd" && problem.pass != "bwd")
    usage_error(concat("pass '", problem.pass, "' is not known; allowed: fwd, bwd"));
  if (problem.ranks < 1) usage_error(concat("ranks = ", problem.ranks, "; allowed: 1 or more"));
  if (problem.threads < 1) usage_error(concat("threads = ", problem.threads, "; allowed: 1 or more"));
}

std::int64_t tensor_bytes(const Op& op, const Problem& problem) {
  std::int64_t sum = 0;
  for (const auto& list : {op.inputs(problem), op.outputs(problem)})
    for (const TensorSpec& spec : list) sum += element_count(spec.shape) * size_of(spec.dtype);
  return sum;
}

std::vector<std::int64_t> contiguous_positions(std::int64_t length, std::int64_t ranks, std::int64_t rank) {
  const std::int64_t share = length / ranks, extra = length % ranks;
  const std::int64_t begin = rank * share + (rank < extra ? rank : extra);
  const std::int64_t end = begin + share + (rank < extra ? 1 : 0);
  std::vector<std::int64_t> positions;
  for (std::int64_t i = begin; i < end; ++i) positions.push_back(i);
  return positions;
}

}  // namespace bench
