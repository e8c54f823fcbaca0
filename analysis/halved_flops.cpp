// SPDX-License-Identifier: Apache-2.0
#include "analysis/halved_flops.hpp"

#include <algorithm>

#include "analysis/case_parameters.hpp"

namespace bench::analysis {

std::optional<double> halved_flops(const scaling::Case& c) {
  const bool some_hidden = int_of(c.params, "window", 0) > 0 || int_of(c.params, "segments", 1) > 1 || text_of(c.params, "key_lengths", "full") != "full";
  const auto causal = c.params.find("causal");
  if (c.op != "attention" || some_hidden || causal == c.params.end()) return std::nullopt;
  double work = text_of(c.params, "pass", "fwd") == "bwd" ? 10.0 : 4.0;
  for (const char* name : {"batch", "heads", "head_dim", "seq"}) work *= static_cast<double>(int_of(c.params, name, 0));
  const auto queries = static_cast<double>(int_of(c.params, "seq", 0)), other = static_cast<double>(int_of(c.params, "kv_seq", 0));
  const double keys = other > 0.0 ? other : queries;
  return work * (causal->second == Value(true) ? (std::max(0.0, keys - queries) + keys) / 2.0 : keys);
}

}  // namespace bench::analysis
