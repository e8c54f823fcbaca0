// SPDX-License-Identifier: Apache-2.0
#include "scaling/parameters.hpp"

#include <set>

#include "kernels/kernel.hpp"
#include "scaling/nearest.hpp"
#include "scaling/value.hpp"

namespace bench::scaling {

const Op& require_op(const std::string& name) {
  const auto& registry = Registry<Op>::instance();
  if (const Op* op = registry.find(name)) return *op;
  std::vector<std::string> known;
  for (const Op* op : registry.all()) known.push_back(op->name);
  usage_error(concat("no op is called ", show(name), suggestion(name, known)));
}

const std::vector<ParamSpec>& protocol_params() {
  static const std::vector<ParamSpec> params{
      {"cache", std::string("hot"), "hot or cold: do a sample's data lie in the caches when it starts?"},
      {"graph", false, "a device's call is captured once and replayed as a CUDA graph, instead of queued launch by launch"},
      {"link", std::string("mpi"), "mpi, mpi-shm or nccl: how the ranks of a case reach each other: by messages, by memory that a node's ranks share, or from device to device"},
      {"part", std::string("whole"), "whole, compute or exchange: what is timed of a call whose ranks exchange something"},
      {"replicas", std::int64_t{1}, "so many ranks run a copy of the one-rank case each, at the same time"},
      {"warmup", std::int64_t{3}, "exactly so many untimed calls, nothing cut after them"},
  };
  return params;
}

std::vector<ParamSpec> all_params(const Op& op) {
  std::vector<ParamSpec> specs = op.params;
  specs.insert(specs.end(), common_params().begin(), common_params().end());
  return specs;
}

std::vector<std::string> param_names(const Op& op) {
  std::vector<std::string> names;
  for (const ParamSpec& spec : all_params(op)) names.push_back(spec.name);
  for (const ParamSpec& spec : protocol_params()) names.push_back(spec.name);
  return names;
}

void check_type(const Op& op, const std::string& name, const Value& value) {
  for (const auto* specs : {&op.params, &common_params(), &protocol_params()})
    for (const ParamSpec& spec : *specs)
      if (spec.name == name && spec.fallback.index() != value.index())
        usage_error(concat(name, " = ", show(to_text(value)), " is of type ", type_name(value), "; ", name,
                           " is of type ", type_name(spec.fallback), " (", spec.help, ")"));
  if (name == "cache" && to_text(value) != "hot" && to_text(value) != "cold")
    usage_error(concat("cache = ", show(to_text(value)), "; allowed: hot, cold"));
  if (name == "link" && to_text(value) != "mpi" && to_text(value) != "mpi-shm" && to_text(value) != "nccl")
    usage_error(concat("link = ", show(to_text(value)), "; allowed: mpi, mpi-shm, nccl"));
  if (name == "part" && to_text(value) != "whole" && to_text(value) != "compute" && to_text(value) != "exchange")
    usage_error(concat("part = ", show(to_text(value)), "; allowed: whole, compute, exchange"));
  if (name == "warmup" && std::get<std::int64_t>(value) < 0)
    usage_error(concat("warmup = ", to_text(value), "; allowed: 0 and more calls"));
  constexpr std::int64_t kMostReplicas = std::int64_t{1} << 20;
  if (name == "replicas" && (std::get<std::int64_t>(value) < 1 || std::get<std::int64_t>(value) > kMostReplicas))
    usage_error(concat("replicas = ", to_text(value), "; allowed: 1 to ", kMostReplicas));
}

std::int64_t replicas_of(const Params& params) {
  const auto it = params.find("replicas");
  const auto* count = it == params.end() ? nullptr : std::get_if<std::int64_t>(&it->second);
  return count == nullptr ? 1 : *count;
}

bool is_on_device(const std::string& kernel) {
  if (const Kernel* known = Registry<Kernel>::instance().find(kernel)) return known->backend != Backend::cpu && known->backend != Backend::torch;
  return kernel.find("_cuda") != std::string::npos;
}

bool is_cold(const Params& params) {
  const auto it = params.find("cache");
  return it != params.end() && to_text(it->second) == "cold";
}

bool is_graph(const Params& params) {
  const auto it = params.find("graph");
  const auto* graph = it == params.end() ? nullptr : std::get_if<bool>(&it->second);
  return graph != nullptr && *graph;
}

std::string link_of(const Params& params) {
  const auto it = params.find("link");
  return it == params.end() ? "mpi" : to_text(it->second);
}

Part part_of(const Params& params) {
  const auto it = params.find("part");
  if (it == params.end()) return Part::whole;
  const std::string part = to_text(it->second);
  return part == "compute" ? Part::compute : part == "exchange" ? Part::exchange : Part::whole;
}

std::string problem_key(const std::string& op, const Params& params) {
  static const std::set<std::string> how{"ranks", "threads", "layout", "cache", "graph", "link", "part", "replicas", "warmup"};
  const Op* known = Registry<Op>::instance().find(op);
  const bool with_ranks = known != nullptr && known->ranks_are_its_data;
  std::string key = op;
  for (const auto& [name, value] : params)
    if (!how.contains(name) || (with_ranks && name == "ranks")) key += concat('\n', name, '=', to_text(value));
  return key;
}

std::string describe(const Params& point) {
  std::string text;
  for (const auto& [name, value] : point) text += concat(text.empty() ? "" : ", ", name, '=', to_text(value));
  return text;
}

}  // namespace bench::scaling
