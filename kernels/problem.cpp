// SPDX-License-Identifier: Apache-2.0
#include "kernels/problem.hpp"

#include <algorithm>

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

std::int64_t parse_kv_heads(const Params& params, std::int64_t heads) {
  const std::int64_t given = get_int(params, "kv_heads");
  const std::int64_t kv_heads = given == 0 ? heads : given;
  if (kv_heads < 1 || heads % kv_heads != 0)
    usage_error(concat("kv_heads = ", given, "; allowed: 0 (as many as heads) or a divisor of heads = ", heads));
  return kv_heads;
}

std::int64_t parse_groups(const Params& params, const char* of, std::int64_t extent) {
  const std::int64_t groups = positive(params, "groups");
  if (extent % groups != 0) usage_error(concat("groups = ", groups, "; allowed: a divisor of ", of, " = ", extent));
  return groups;
}

Params default_params(const Op& op) {
  Params params;
  for (const auto* list : {&op.params, &common_params()})
    for (const ParamSpec& spec : *list) params.emplace(spec.name, spec.fallback);
  return params;
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

std::int64_t contiguous_begin(std::int64_t length, std::int64_t ranks, std::int64_t rank) {
  return rank * (length / ranks) + std::min(rank, length % ranks);
}

std::vector<std::int64_t> contiguous_positions(std::int64_t length, std::int64_t ranks, std::int64_t rank) {
  const std::int64_t begin = contiguous_begin(length, ranks, rank), end = contiguous_begin(length, ranks, rank + 1);
  std::vector<std::int64_t> positions;
  for (std::int64_t i = begin; i < end; ++i) positions.push_back(i);
  return positions;
}

}  // namespace bench
