// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "analysis/table.hpp"

namespace bench::analysis {
namespace {

/// The provenance's plain values, a line each.
std::string machine_lines(const std::string& provenance) {
  const nlohmann::json json = nlohmann::json::parse(provenance, nullptr, false);
  std::string text;
  if (!json.is_object()) return text;
  for (const char* name : {"version", "commit", "dirty", "build_type", "compiler", "cpu_model", "mpi", "host", "kernel"})
    if (json.contains(name) && json[name].is_string()) text += fmt::format("- **{}**: {}\n", name, json[name].get<std::string>());
  return text;
}

std::string limit_lines(const RunRecord& run) {
  std::string text;
  for (const auto& [width, limits] : run.limits) {
    if (width.device) {
      text += fmt::format("- **limits of {} device{}**: fp32 {:.4g} TFLOP/s, bf16 {:.4g} TFLOP/s, fp16 {:.4g} TFLOP/s, memory {:.4g} GB/s, reading {:.4g} GB/s, exp {:.4g} G/s\n",
                          width.ranks, width.ranks == 1 ? "" : "s", limits.fp32_flops_per_s / 1e12, limits.bf16_flops_per_s / 1e12, limits.fp16_flops_per_s / 1e12,
                          limits.triad_bytes_per_s.back() / 1e9, limits.read_bytes_per_s.back() / 1e9, limits.exps_per_s / 1e9);
      continue;
    }
    text += fmt::format("- **limits on {} rank{}{}**: fp32 {:.4g} GFLOP/s, bf16 {:.4g} GFLOP/s, memory {:.4g} GB/s, reading {:.4g} GB/s, exp {:.3g} G/s\n", width.ranks,
                        width.ranks == 1 ? "" : "s", width.threads == 1 ? "" : fmt::format(" of {} threads", width.threads),
                        limits.fp32_flops_per_s / 1e9, limits.bf16_flops_per_s / 1e9, limits.triad_bytes_per_s.back() / 1e9, limits.read_bytes_per_s.back() / 1e9, limits.exps_per_s / 1e9);
  }
  return text;
}

}  // namespace

std::string summary_markdown(const RunRecord& run, const std::vector<Section>& sections, const std::string& directory) {
  std::string text = fmt::format("# {}\n\n- **Run directory**: {}\n- **created**: {}\n- **run**: {}\n", run.study, directory, run.created_utc, run.run_id);
  text += machine_lines(run.provenance_json) + limit_lines(run) + '\n';
  for (const Section& section : sections)
    text += "## " + section.title + "\n\n" + section.table.markdown() + '\n' + (section.note.empty() ? "" : section.note + ".\n\n");
  return text + "Times are of one call on the slowest rank: the median over samples, with its order-statistic interval. "
                "`stopped` says why sampling ended. Every row was checked against an fp64 reference before it was timed. "
                "docs/metrics.md derives every column.\n";
}

}  // namespace bench::analysis
