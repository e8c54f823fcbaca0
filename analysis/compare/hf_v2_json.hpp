// SPDX-License-Identifier: Apache-2.0
// Result files of transformers' benchmark_v2, in both of their forms:
//   as its README has it: {"model_name", "benchmark_scenarios": [{"scenario_name", "metadata",
//   "measurements": {"latency": {"mean", ...}}}]} as it writes today:   {<hash of config>: {"metadata":
//   {"model_id", "success"}, "config", "measurements": {"e2e_latency": [s, ...]}}}
#pragma once

#include <nlohmann/json.hpp>

#include "analysis/compare/side.hpp"

namespace bench::analysis {

bool is_hf_v2(const nlohmann::json& document);

/// One file is one process, so one launch. Every raw end-to-end latency is a visit; where there are only
/// figures, the median, else the mean, is the one visit. The key is model/scenario by name, with the start of
/// the config's hash where two configs share a name (the hash alone would change with every field that the
/// tool adds). A scenario with `success: false` is crashed. Metrics, medians where raw:
/// time_to_first_token_s, inter_token_latency_s, tokens_per_second. Memory is the highest sample of the
/// device's used memory, all its users together. The environment is `hardware_info`. Error(io) that names
/// scenario and field for what is not of this form.
Side hf_v2_side(const nlohmann::json& document);

}  // namespace bench::analysis
