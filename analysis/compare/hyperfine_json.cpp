// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare/hyperfine_json.hpp"

#include <algorithm>

#include "analysis/compare/foreign_json.hpp"
#include "analysis/json_fields.hpp"

namespace bench::analysis {
namespace {

using nlohmann::json;

std::string key_of(const json& entry) {
  std::string key;
  read_field(entry, "command", key);
  const json* parameters = find_member(entry, "parameters");
  if (parameters == nullptr) return key;
  if (!parameters->is_object()) refuse_field("parameters", "an object", *parameters);
  std::string text;
  for (const auto& [name, value] : parameters->items()) {
    const auto shown = scalar_text(value);
    text += concat(text.empty() ? "" : ", ", name, '=', shown.value_or(""));
  }
  return text.empty() ? key : concat(key, " [", text, ']');
}

/// What the exit codes say against it; empty when all is well. Versions before 1.13 write none.
std::string complaint(const json& entry) {
  if (find_member(entry, "exit_codes") == nullptr) return {};
  const json& codes = list_member(entry, "exit_codes");
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (codes[i].is_null()) return concat("run ", i + 1, " of ", codes.size(), " was ended by a signal");
    std::int64_t code = 0;
    take(codes[i], concat("exit_codes[", i, ']'), code);
    if (code != 0) return concat("run ", i + 1, " of ", codes.size(), " ended with exit code ", code);
  }
  return {};
}

std::vector<double> times_of(const json& entry) {
  if (const json* times = find_member(entry, "times")) return take_times_s(*times, "times");
  for (const char* field : {"median", "mean"})
    if (const json* value = find_member(entry, field)) return {take_time_s(*value, field)};
  throw Error(ErrorKind::io, "field 'times' is missing, and so are 'median' and 'mean'");
}

void add_memory(Measured& measured, const json& entry) {
  if (find_member(entry, "memory_usage_byte") == nullptr) return;
  for (const json& bytes : list_member(entry, "memory_usage_byte"))
    measured.peak_memory_bytes = std::max(measured.peak_memory_bytes, take_bytes(bytes, "memory_usage_byte"));
}

void add_entry(Side& side, const json& entry) {
  const std::string key = key_of(entry);
  const std::vector<double> times_s = times_of(entry);
  Measured& measured = side.cases[key];
  measured.name = key;
  add_memory(measured, entry);
  measured.launches_s.insert(measured.launches_s.end(), times_s.begin(), times_s.end());
  if (const std::string reason = complaint(entry); !reason.empty()) {
    measured.outcome = Outcome::crashed;
    measured.reason = reason;
  }
}

}  // namespace

bool is_hyperfine(const json& document) {
  return document.is_object() && document.contains("results");
}

Side hyperfine_side(const json& document) {
  Side side;
  const json& list = list_member(document, "results");
  if (list.empty()) throw Error(ErrorKind::io, "field 'results' is empty");
  for (std::size_t i = 0; i < list.size(); ++i)
    read_within(concat("results[", i, ']'), [&] { add_entry(side, list[i]); });
  for (auto& [key, measured] : side.cases) {
    side.launches = std::max(side.launches, static_cast<std::int64_t>(measured.launches_s.size()));
    if (measured.outcome != Outcome::ok) measured.launches_s.clear();
    measured.visits_s = measured.launches_s;
    measured.samples = static_cast<std::int64_t>(measured.visits_s.size());
  }
  return side;
}

}  // namespace bench::analysis
