// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare/google_benchmark_json.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "analysis/compare/foreign_json.hpp"
#include "analysis/json_fields.hpp"

namespace bench::analysis {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 6> kAggregates{"mean", "median", "stddev", "cv", "BigO", "RMS"};

/// One benchmark while its rows are read.
struct Rows {
  Measured measured;
  std::optional<double> median_s, mean_s;
  std::int64_t repetitions = 1;  // behind the aggregates
};

double unit_s(const json& row) {
  constexpr std::array<std::pair<std::string_view, double>, 4> kUnits{
      {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1.0}}};
  const json* unit = find_member(row, "time_unit");
  if (unit == nullptr) return 1e-9;  // the tool's default
  for (const auto& [name, seconds] : kUnits)
    if (*unit == name) return seconds;
  refuse_field("time_unit", "ns, us, ms or s", *unit);
}

bool flag(const json& row, const char* field) {
  bool set = false;
  if (const json* value = find_member(row, field)) take(*value, field, set);
  return set;
}

/// Name of the aggregate; empty for a repetition. Versions before 1.5 have no run_type and tell by the row's
/// name alone.
std::string aggregate_of(const json& row, const std::string& name) {
  if (find_member(row, "run_type") != nullptr) {
    std::string type, aggregate;
    read_field(row, "run_type", type);
    if (type == "aggregate")
      read_field(row, "aggregate_name", aggregate);
    else if (type != "iteration")
      refuse_field("run_type", "iteration or aggregate", row["run_type"]);
    return aggregate;
  }
  const std::string last = name.substr(name.rfind('_') + 1);
  return last != name && std::ranges::find(kAggregates, last) != kAggregates.end() ? last : std::string();
}

std::string key_of(const json& row, const std::string& name, const std::string& aggregate) {
  std::string key;
  if (find_member(row, "run_name") != nullptr)
    read_field(row, "run_name", key);
  else
    key = aggregate.empty() ? name : name.substr(0, name.rfind('_'));
  return key;
}

void fail(Measured& measured, Outcome outcome, const json& row, const char* message) {
  if (measured.outcome == Outcome::crashed) return;
  measured.outcome = outcome;
  measured.reason.clear();
  if (find_member(row, message) != nullptr) read_field(row, message, measured.reason);
  if (measured.reason.empty()) measured.reason = "the file gives no reason";
}

void add_aggregate(Rows& rows, const json& row, const std::string& aggregate) {
  if (aggregate != "median" && aggregate != "mean") return;
  (aggregate == "median" ? rows.median_s : rows.mean_s) =
      take_time_s(member(row, "real_time"), "real_time", unit_s(row));
  if (const json* count = find_member(row, "repetitions")) take(*count, "repetitions", rows.repetitions);
}

void add_row(std::map<std::string, Rows>& found, const json& row) {
  std::string name;
  read_field(row, "name", name);
  const std::string aggregate = aggregate_of(row, name);
  Rows& rows = found[key_of(row, name, aggregate)];
  if (flag(row, "error_occurred")) return fail(rows.measured, Outcome::crashed, row, "error_message");
  if (flag(row, "skipped")) return fail(rows.measured, Outcome::skipped, row, "skip_message");
  if (!aggregate.empty()) return add_aggregate(rows, row, aggregate);
  rows.measured.visits_s.push_back(take_time_s(member(row, "real_time"), "real_time", unit_s(row)));
  if (const json* memory = find_member(row, "max_bytes_used"))
    rows.measured.peak_memory_bytes =
        std::max(rows.measured.peak_memory_bytes, take_bytes(*memory, "max_bytes_used"));
}

/// False when there were rows of its name but none that matter, such as a Big-O.
bool finish(Rows& rows, const std::string& key) {
  Measured& measured = rows.measured;
  measured.name = key;
  measured.samples = static_cast<std::int64_t>(measured.visits_s.size());
  const auto& summary = rows.median_s ? rows.median_s : rows.mean_s;
  if (measured.visits_s.empty() && summary) {
    measured.visits_s.push_back(*summary);
    measured.samples = std::max<std::int64_t>(1, rows.repetitions);
  }
  const bool matters = measured.outcome != Outcome::ok || !measured.visits_s.empty();
  close_launch(measured);
  return matters;
}

void read_context(Side& side, const json& document) {
  const json* context = find_member(document, "context");
  if (context == nullptr) return;
  for (const char* key : {"num_cpus", "mhz_per_cpu", "cpu_scaling_enabled", "aslr_enabled", "library_version",
                          "library_build_type"}) {
    const json* value = find_member(*context, key);
    if (const auto text = value != nullptr ? scalar_text(*value) : std::nullopt)
      side.environment[key] = *text;
  }
  const json* caches = find_member(*context, "caches");
  if (caches == nullptr || !caches->is_array()) return;
  for (const json& cache : *caches) {
    const json* level = find_member(cache, "level");
    const json* type = find_member(cache, "type");
    const json* size = find_member(cache, "size");
    if (level == nullptr || type == nullptr || size == nullptr) continue;
    const auto name = scalar_text(*type), bytes = scalar_text(*size);
    if (name && bytes)
      add_environment(side.environment, concat("cache_L", level->dump(), '_', *name, "_bytes"), *bytes);
  }
}

}  // namespace

bool is_google_benchmark(const json& document) {
  return document.is_object() && document.contains("benchmarks");
}

Side google_benchmark_side(const json& document) {
  std::map<std::string, Rows> found;
  const json& list = list_member(document, "benchmarks");
  for (std::size_t i = 0; i < list.size(); ++i)
    read_within(concat("benchmarks[", i, ']'), [&] { add_row(found, list[i]); });
  Side side;
  side.launches = 1;
  read_context(side, document);
  for (auto& [key, rows] : found)
    if (finish(rows, key)) side.cases[key] = std::move(rows.measured);
  if (side.cases.empty()) throw Error(ErrorKind::io, "field 'benchmarks' has no row with a time");
  return side;
}

}  // namespace bench::analysis
