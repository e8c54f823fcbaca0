// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare/run_side.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "analysis/compare/foreign_json.hpp"
#include "analysis/results.hpp"

namespace bench::analysis {
namespace {

using nlohmann::json;

/// The last three a case has only where they are not the default.
constexpr std::array<std::string_view, 12> kUsual{"ranks", "batch", "seq", "heads", "head_dim", "channels", "causal", "dtype", "layout", "graph", "link", "part"};

using Varying = std::map<std::string, std::set<std::string>>;  // op -> parameters with more than one value

Varying varying_parameters(const RunRecord& run) {
  std::map<std::string, std::map<std::string, std::set<std::string>>> seen;
  for (const scaling::Case& c : run.cases)
    for (const auto& [name, value] : c.params) seen[c.op][name].insert(bench::to_text(value));
  Varying varying;
  for (const auto& [op, parameters] : seen)
    for (const auto& [name, values] : parameters)
      if (values.size() > 1) varying[op].insert(name);
  return varying;
}

/// On one rank the number of ranks and the layout over them say nothing.
std::string case_name(const scaling::Case& c, const std::set<std::string>& varying) {
  std::string text = c.kernel;
  const auto add = [&](const std::string& name) {
    const auto it = c.params.find(name);
    const bool idle = c.ranks == 1 && (name == "ranks" || name == "layout");
    if (it != c.params.end() && !idle) text += concat(' ', name, '=', bench::to_text(it->second));
  };
  for (const std::string_view name : kUsual) add(std::string(name));
  for (const std::string& name : varying)
    if (std::ranges::find(kUsual, name) == kUsual.end()) add(name);
  return text;
}

Measured measured_of(const CaseResult& result, const scaling::Case& c) {
  Measured measured;
  if (const auto dtype = c.params.find("dtype"); dtype != c.params.end()) measured.dtype = bench::to_text(dtype->second);
  measured.outcome = result.functional_only ? Outcome::skipped : result.outcome;  // there is nothing to compare
  measured.reason = result.reason;
  measured.visits_s = result.visit_medians_s;
  measured.samples = result.n;
  measured.error = result.error;
  measured.tolerance = result.tolerance;
  measured.peak_memory_bytes = result.peak_memory_bytes;
  close_launch(measured);
  return measured;
}

/// Of the MCA settings only the components that carry data: mpirun passes the rest (job numbers, addresses)
/// through the same variables.
bool is_setting(std::string_view variable) {
  constexpr std::array<std::string_view, 12> kKept{"OMP_",          "GOMP_",        "KMP_",
                                                   "MKL_",          "UCX_",         "NCCL_",
                                                   "OMPI_MCA_btl",  "OMPI_MCA_pml", "OMPI_MCA_mtl",
                                                   "OMPI_MCA_coll", "OMPI_MCA_osc", "CUDA_VISIBLE_DEVICES"};
  return std::ranges::any_of(kKept, [&](std::string_view prefix) { return variable.starts_with(prefix); });
}

bool is_kept(std::string_view section, std::string_view key) {
  if (section == "build") return key == "build_type" || key == "compiler" || key == "flags";
  if (section == "host") return key != "name" && key != "name_is_hashed";
  if (section == "cpu") return key != "load_average";
  if (section == "memory") return key != "available_bytes";
  if (section == "slurm")
    return key == "SLURM_JOB_PARTITION" || key == "SLURM_NNODES" || key == "SLURM_NTASKS" ||
           key == "SLURM_GPUS_ON_NODE" || key == "SLURM_CPUS_PER_TASK";
  if (section == "variables") return is_setting(key);
  return section == "libraries" || section == "gpu";
}

/// A scalar's text, or a flat list's with commas between; empty for anything else, for a path, and for what
/// was unavailable.
std::string flat_text(const json& value) {
  std::string text;
  if (value.is_array()) {
    for (const json& item : value)
      if (const auto one = scalar_text(item)) text += (text.empty() ? "" : ",") + *one;
  } else {
    text = scalar_text(value).value_or("");
  }
  return text == "unavailable" || text.starts_with('/') ? std::string() : text;
}

}  // namespace

std::map<std::string, std::string> environment_of(const std::string& provenance_json) {
  const json provenance = json::parse(provenance_json, nullptr, false);
  if (!provenance.is_object()) throw Error(ErrorKind::io, "its provenance is not a JSON object");
  std::map<std::string, std::string> environment;
  for (const auto& [section, members] : provenance.items()) {
    if (!members.is_object()) continue;
    for (const auto& [key, value] : members.items())
      if (const std::string text = flat_text(value); is_kept(section, key) && !text.empty())
        environment[section + '.' + key] = text;
  }
  return environment;
}

Side run_side(const RunRecord& run) { return run_side(run, make_results(run)); }

Side run_side(const RunRecord& run, const Results& results) {
  Side side;
  side.launches = 1;
  side.environment = environment_of(run.provenance_json);
  Varying varying = varying_parameters(run);
  for (const CaseResult& result : results.cases) {
    const scaling::Case& c = run.cases[result.case_index];
    Measured& measured = side.cases[c.id] = measured_of(result, c);
    measured.name = case_name(c, varying[c.op]);
  }
  return side;
}

}  // namespace bench::analysis
