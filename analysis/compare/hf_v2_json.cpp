// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare/hf_v2_json.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "analysis/compare/foreign_json.hpp"
#include "analysis/json_fields.hpp"
#include "analysis/statistics/quantiles.hpp"

namespace bench::analysis {
namespace {

using nlohmann::json;

/// A series in any of its forms: a list, figures with the list among them, or figures alone (then one value).
/// Empty when none is there.
std::vector<double> series(const json& measurements, const char* field) {
  const json* value = find_member(measurements, field);
  if (value == nullptr) return {};
  if (value->is_array()) return value->empty() ? std::vector<double>{} : take_times_s(*value, field);
  if (!value->is_object()) refuse_field(field, "a list or an object", *value);
  if (const json* raw = find_member(*value, "measurements"))
    return take_times_s(*raw, concat(field, ".measurements"));
  for (const char* figure : {"median", "mean"})
    if (const json* one = find_member(*value, figure)) return {take_time_s(*one, concat(field, '.', figure))};
  refuse_field(field, "an object with measurements, median or mean", *value);
}

void add_times(Measured& measured, const json& measurements, const json* config) {
  const bool today = find_member(measurements, "e2e_latency") != nullptr;
  const char* field = today ? "e2e_latency" : "latency";
  measured.visits_s = series(measurements, field);
  if (measured.visits_s.empty()) throw Error(ErrorKind::io, concat("field '", field, "' has no times"));
  measured.samples = static_cast<std::int64_t>(measured.visits_s.size());
  const json* iterations = config != nullptr ? find_member(*config, "measurement_iterations") : nullptr;
  if (measured.samples == 1 && iterations != nullptr)
    take(*iterations, "measurement_iterations", measured.samples);
  measured.samples = std::max<std::int64_t>(1, measured.samples);
}

void add_metrics(Measured& measured, const json& measurements) {
  constexpr std::array<std::pair<const char*, const char*>, 3> kMetrics{
      {{"time_to_first_token", "time_to_first_token_s"},
       {"inter_token_latency", "inter_token_latency_s"},
       {"tokens_per_second", "tokens_per_second"}}};
  for (const auto& [field, metric] : kMetrics)
    if (const std::vector<double> values = series(measurements, field); !values.empty())
      measured.metrics[metric] = median(sorted(values));
}

/// MiB in the README's form, lists of GiB in today's.
void add_memory(Measured& measured, const json* gpu) {
  const auto add = [&](const json& amount, const char* field, double unit_bytes) {
    measured.peak_memory_bytes = std::max(measured.peak_memory_bytes, take_bytes(amount, field, unit_bytes));
  };
  if (gpu == nullptr) return;
  if (const json* most = find_member(*gpu, "gpu_memory_used_max")) add(*most, "gpu_memory_used_max", 0x1p20);
  if (!gpu->is_array()) return;
  for (const json& iteration : *gpu) {
    if (find_member(iteration, "memory_used") == nullptr) continue;
    for (const json& used : list_member(iteration, "memory_used")) add(used, "memory_used", 0x1p30);
  }
}

Measured measured_of(const json& scenario, const json& metadata, const json* config, const json* gpu) {
  Measured measured;
  bool success = true;
  if (const json* value = find_member(metadata, "success")) take(*value, "success", success);
  if (!success) {
    measured.outcome = Outcome::crashed;
    measured.reason = "its metadata says success: false";
    return measured;
  }
  const json& measurements = member(scenario, "measurements");
  if (!measurements.is_object()) refuse_field("measurements", "an object", measurements);
  add_times(measured, measurements, config);
  add_metrics(measured, measurements);
  add_memory(measured, gpu);
  close_launch(measured);
  return measured;
}

const json& metadata_of(Side& side, const json& scenario) {
  static const json kNone = json::object();
  const json* metadata = find_member(scenario, "metadata");
  if (metadata == nullptr) return kNone;
  const json* hardware = find_member(*metadata, "hardware_info");
  if (hardware == nullptr || !hardware->is_object()) return *metadata;
  for (const auto& [key, value] : hardware->items())
    if (const auto text = scalar_text(value)) add_environment(side.environment, key, *text);
  return *metadata;
}

void put(Side& side, const std::string& key, Measured measured) {
  measured.name = key;
  if (!side.cases.emplace(key, std::move(measured)).second)
    throw Error(ErrorKind::io, concat("there is a second '", key, "'"));
}

void read_readme_form(Side& side, const json& document) {
  std::string model;
  read_field(document, "model_name", model);
  const json& list = list_member(document, "benchmark_scenarios");
  for (std::size_t i = 0; i < list.size(); ++i)
    read_within(concat("benchmark_scenarios[", i, ']'), [&] {
      std::string name;
      read_field(list[i], "scenario_name", name);
      const json& metadata = metadata_of(side, list[i]);
      put(side, model + '/' + name,
          measured_of(list[i], metadata, find_member(metadata, "config"),
                      find_member(list[i], "gpu_metrics")));
    });
}

std::string todays_name(const std::string& hash, const json& entry) {
  std::string model, name = hash;
  read_field(member(entry, "metadata"), "model_id", model);
  const json* config = find_member(entry, "config");
  if (config != nullptr && find_member(*config, "name") != nullptr) read_field(*config, "name", name);
  return model + '/' + name;
}

void read_todays_form(Side& side, const json& document) {
  constexpr std::size_t kHashShown = 8;
  std::map<std::string, int> uses;
  for (const auto& [hash, entry] : document.items())
    read_within(hash, [&, &h = hash, &e = entry] { ++uses[todays_name(h, e)]; });
  for (const auto& [hash, entry] : document.items())
    read_within(hash, [&, &h = hash, &e = entry] {
      std::string name = todays_name(h, e);
      if (uses[name] > 1) name += " #" + h.substr(0, kHashShown);
      const json& metadata = metadata_of(side, e);
      const json* measurements = find_member(e, "measurements");
      const json* gpu = measurements != nullptr ? find_member(*measurements, "gpu_metrics") : nullptr;
      put(side, name, measured_of(e, metadata, find_member(e, "config"), gpu));
    });
}

}  // namespace

bool is_hf_v2(const json& document) {
  if (!document.is_object()) return false;
  if (document.contains("benchmark_scenarios")) return true;
  return std::ranges::any_of(
      document, [](const json& entry) { return entry.is_object() && entry.contains("measurements"); });
}

Side hf_v2_side(const json& document) {
  Side side;
  side.launches = 1;
  if (find_member(document, "benchmark_scenarios") != nullptr)
    read_readme_form(side, document);
  else
    read_todays_form(side, document);
  if (side.cases.empty()) throw Error(ErrorKind::io, "field 'benchmark_scenarios' is empty");
  return side;
}

}  // namespace bench::analysis
