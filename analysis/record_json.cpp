// SPDX-License-Identifier: Apache-2.0
#include "analysis/record_json.hpp"

#include <algorithm>
#include <limits>

#include "analysis/json_fields.hpp"

namespace bench::analysis {
namespace {

using nlohmann::json;

/// Valid UTF-8, which JSON demands: the words of a failed kernel can hold any bytes.
std::string clean(const std::string& text) {
  return json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::replace)).get<std::string>();
}

json params_to_json(const Params& params) {
  json object = json::object();
  for (const auto& [name, value] : params) std::visit([&, n = name](const auto& v) { object[n] = v; }, value);
  return object;
}

/// JSON has no infinity; an error of a NaN output is stored as null.
json finite_or_null(double x) { return x <= std::numeric_limits<double>::max() ? json(x) : json(nullptr); }

Params params_from_json(const json& object) {
  if (!object.is_object()) refuse_field("params", "an object", object);
  Params params;
  for (const auto& [name, value] : object.items()) {
    if (value.is_boolean()) params[name] = value.get<bool>();
    else if (is_int64(value)) params[name] = value.get<std::int64_t>();
    else if (value.is_string()) params[name] = value.get<std::string>();
    else refuse_field("params." + name, "true, false, a whole number or text", value);
  }
  return params;
}

/// What the statistics rely on: whole rows of times, at least one where the visit is ok, none where it was not to be timed.
void check_samples(const VisitRecord& v) {
  const auto times = static_cast<std::int64_t>(v.rank_time_s.size());
  if (v.ranks < 1) throw Error(ErrorKind::io, concat("field 'ranks' must be 1 or more, not ", v.ranks));
  if (times % v.ranks != 0 || (v.outcome == Outcome::ok && (times == 0) != v.functional_only))
    throw Error(ErrorKind::io, concat("field 'rank_time_s' has ", times, " times for ", v.ranks, " ranks"));
  if (!std::ranges::all_of(v.rank_time_s, [](double time) { return time >= 0.0; }))
    throw Error(ErrorKind::io, "field 'rank_time_s' has a negative time");
  if (!v.rank_start_s.empty() && v.rank_start_s.size() != v.rank_time_s.size())
    throw Error(ErrorKind::io, concat("field 'rank_start_s' has ", v.rank_start_s.size(), " starts for ", times, " times"));
  if (!v.flags.empty() && static_cast<std::int64_t>(v.flags.size()) * v.ranks != times)
    throw Error(ErrorKind::io, concat("field 'flags' has ", v.flags.size(), " rows for ", times / v.ranks, " samples"));
}

Telemetry figures_from_json(const json& object, const char* field) {
  const json& values = member(object, field);
  if (!values.is_object()) refuse_field(field, "an object", values);
  Telemetry telemetry;
  for (const auto& [name, value] : values.items()) take(value, concat(field, '.', name), telemetry[name]);
  return telemetry;
}

}  // namespace

json to_json(const scaling::Case& c) {
  json tags = json::array();
  for (const scaling::ScalingTag& tag : c.scaling)
    tags.push_back({{"study", tag.study}, {"mode", tag.mode}, {"by", tag.by}, {"series", tag.series}, {"base", tag.base}});
  json crossovers = json::array();
  for (const scaling::CrossoverTag& tag : c.crossovers) crossovers.push_back({{"sweep", tag.sweep}, {"against", tag.against}, {"along", tag.along}});
  return {{"id", c.id},
          {"op", c.op},
          {"kernel", c.kernel},
          {"params", params_to_json(c.params)},
          {"ranks", c.ranks},
          {"threads", c.threads},
          {"isolation", c.isolation == scaling::Isolation::node ? "node" : "none"},
          {"flops", c.cost.flops},
          {"bytes", c.cost.bytes},
          {"bytes_written", c.cost.bytes_written},
          {"exps", c.cost.exps},
          {"wire_bytes", c.cost.wire_bytes},
          {"memory_bytes", c.memory_bytes},
          {"estimate_s", c.estimate_s},
          {"planned", to_text(c.planned)},
          {"reason", c.reason},
          {"baseline", c.baseline},
          {"sweeps", c.sweeps},
          {"scaling", tags},
          {"crossovers", crossovers}};
}

scaling::Case case_from_json(const json& j) {
  scaling::Case c;
  read_field(j, "id", c.id);
  read_field(j, "op", c.op);
  read_field(j, "kernel", c.kernel);
  c.params = params_from_json(member(j, "params"));
  read_field(j, "ranks", c.ranks);
  read_field(j, "threads", c.threads);
  std::string isolation;
  read_field(j, "isolation", isolation);
  c.isolation = isolation == "node" ? scaling::Isolation::node : scaling::Isolation::none;
  read_field(j, "flops", c.cost.flops);
  read_field(j, "bytes", c.cost.bytes);
  if (j.contains("bytes_written")) read_field(j, "bytes_written", c.cost.bytes_written);
  read_field(j, "exps", c.cost.exps);
  read_field(j, "wire_bytes", c.cost.wire_bytes);
  read_field(j, "memory_bytes", c.memory_bytes);
  read_field(j, "estimate_s", c.estimate_s);
  read_field(j, "planned", c.planned);
  read_field(j, "reason", c.reason);
  read_field(j, "baseline", c.baseline);
  read_field(j, "sweeps", c.sweeps);
  for (const json& item : list_member(j, "scaling")) {
    scaling::ScalingTag& tag = c.scaling.emplace_back();
    read_field(item, "study", tag.study);
    read_field(item, "mode", tag.mode);
    read_field(item, "by", tag.by);
    read_field(item, "series", tag.series);
    if (item.contains("base")) read_field(item, "base", tag.base);  // journals of older versions have none
  }
  if (!j.contains("crossovers")) return c;  // nor these
  for (const json& item : list_member(j, "crossovers")) {
    scaling::CrossoverTag& tag = c.crossovers.emplace_back();
    read_field(item, "sweep", tag.sweep);
    read_field(item, "against", tag.against);
    read_field(item, "along", tag.along);
  }
  return c;
}

json to_json(const VisitRecord& v) {
  json checks = json::array();
  for (const Check& check : v.checks)
    checks.push_back({{"output", check.output}, {"error", finite_or_null(check.error)}, {"tolerance", check.tolerance}});
  json figures = json::object();
  for (const Figure& figure : v.figures) figures[figure.name] = {{"unit", figure.unit}, {"value", figure.value}};
  json object{{"case_id", v.case_id},
          {"visit", v.visit},
          {"run", v.run},
          {"attempt", v.attempt},
          {"outcome", to_text(v.outcome)},
          {"reason", clean(v.reason)},
          {"ranks", v.ranks},
          {"block", v.block},
          {"first_rank", v.first_rank},
          {"session", v.session},
          {"placement", v.placement},
          {"neighbours", v.neighbours},
          {"rank_time_s", v.rank_time_s},
          {"rank_start_s", v.rank_start_s},
          {"flags", v.flags},
          {"calls_per_sample", v.calls_per_sample},
          {"warmup_calls", v.warmup_calls},
          {"sync", v.sync},
          {"cold_method", v.cold_method},
          {"clock_bound_s", v.clock_bound_s},
          {"timer_floor_s", v.timer_floor_s},
          {"stop_reason", v.stop_reason},
          {"tau", v.tau},
          {"start_s", v.start_s},
          {"check_s", v.check_s},
          {"warmup_s", v.warmup_s},
          {"measure_s", v.measure_s},
          {"decide_s", v.decide_s},
          {"checks", checks},
          {"rows_checked", v.rows_checked},
          {"peak_memory_bytes", v.peak_memory_bytes},
          {"wire_bytes", v.wire_bytes},
          {"oversubscribed", v.oversubscribed},
          {"before", v.before},
          {"after", v.after}};
  if (!figures.empty()) object["figures"] = figures;
  if (v.ended_process) object["ended_process"] = true;
  if (v.functional_only) object["functional_only"] = true;
  if (v.graph_nodes > 0) object["graph_nodes"] = v.graph_nodes;
  if (v.device_total_bytes > 0)
    object["device"] = {{"peak_bytes", v.device_peak_bytes}, {"free_bytes", v.device_free_bytes}, {"total_bytes", v.device_total_bytes}, {"enqueue_s", v.enqueue_s}};
  return object;
}

VisitRecord visit_from_json(const json& j) {
  VisitRecord v;
  read_field(j, "case_id", v.case_id);
  read_field(j, "visit", v.visit);
  read_field(j, "run", v.run);
  read_field(j, "attempt", v.attempt);
  read_field(j, "outcome", v.outcome);
  read_field(j, "reason", v.reason);
  read_field(j, "ranks", v.ranks);
  read_field(j, "block", v.block);
  read_field(j, "first_rank", v.first_rank);
  read_field(j, "session", v.session);
  read_field(j, "placement", v.placement);
  read_field(j, "neighbours", v.neighbours);
  read_field(j, "rank_time_s", v.rank_time_s);
  read_field(j, "rank_start_s", v.rank_start_s);
  read_field(j, "flags", v.flags);
  read_field(j, "calls_per_sample", v.calls_per_sample);
  read_field(j, "warmup_calls", v.warmup_calls);
  read_field(j, "sync", v.sync);
  read_field(j, "cold_method", v.cold_method);
  read_field(j, "clock_bound_s", v.clock_bound_s);
  read_field(j, "timer_floor_s", v.timer_floor_s);
  read_field(j, "stop_reason", v.stop_reason);
  read_field(j, "tau", v.tau);
  read_field(j, "start_s", v.start_s);
  read_field(j, "check_s", v.check_s);
  read_field(j, "warmup_s", v.warmup_s);
  read_field(j, "measure_s", v.measure_s);
  read_field(j, "decide_s", v.decide_s);
  for (const json& item : list_member(j, "checks")) {
    Check& check = v.checks.emplace_back();
    read_field(item, "output", check.output);
    if (member(item, "error").is_null()) check.error = std::numeric_limits<double>::infinity();
    else read_field(item, "error", check.error);
    read_field(item, "tolerance", check.tolerance);
  }
  if (j.contains("figures"))  // most ops have none
    for (const auto& [name, item] : member(j, "figures").items()) {
      Figure& figure = v.figures.emplace_back(Figure{.name = name, .unit = {}, .value = 0.0});
      read_field(item, "unit", figure.unit);
      read_field(item, "value", figure.value);
    }
  read_field(j, "rows_checked", v.rows_checked);
  read_field(j, "peak_memory_bytes", v.peak_memory_bytes);
  read_field(j, "wire_bytes", v.wire_bytes);
  read_field(j, "oversubscribed", v.oversubscribed);
  if (j.contains("ended_process")) read_field(j, "ended_process", v.ended_process);  // most do not
  if (j.contains("functional_only")) read_field(j, "functional_only", v.functional_only);
  if (j.contains("graph_nodes")) read_field(j, "graph_nodes", v.graph_nodes);
  if (j.contains("device")) {
    const json& device = member(j, "device");
    read_field(device, "peak_bytes", v.device_peak_bytes);
    read_field(device, "free_bytes", v.device_free_bytes);
    read_field(device, "total_bytes", v.device_total_bytes);
    read_field(device, "enqueue_s", v.enqueue_s);
  }
  v.before = figures_from_json(j, "before");
  v.after = figures_from_json(j, "after");
  check_samples(v);
  return v;
}

json to_json(const std::vector<TimedTelemetry>& readings) {
  json list = json::array();
  for (const TimedTelemetry& reading : readings) list.push_back({{"time_s", reading.time_s}, {"values", reading.values}});
  return list;
}

std::vector<TimedTelemetry> telemetry_from_json(const json& j) {
  if (!j.is_array()) refuse_field("readings", "a list", j);
  std::vector<TimedTelemetry> readings;
  for (const json& item : j) {
    TimedTelemetry& reading = readings.emplace_back();
    read_field(item, "time_s", reading.time_s);
    reading.values = figures_from_json(item, "values");
  }
  return readings;
}

json to_json(const Limits& l) {
  return {{"fp32_flops_per_s", l.fp32_flops_per_s},
          {"bf16_flops_per_s", l.bf16_flops_per_s},
          {"fp16_flops_per_s", l.fp16_flops_per_s},
          {"fp64_flops_per_s", l.fp64_flops_per_s},
          {"exps_per_s", l.exps_per_s},
          {"triad_bytes_per_s", l.triad_bytes_per_s},
          {"read_bytes_per_s", l.read_bytes_per_s},
          {"link_latency_s", l.link_latency_s},
          {"link_bytes_per_s", l.link_bytes_per_s}};
}

namespace {

void read_rates(const json& j, const char* name, std::array<double, 6>& rates) {
  std::vector<double> values;
  read_field(j, name, values);
  if (values.size() != rates.size()) throw Error(ErrorKind::io, concat("field '", name, "' must have ", rates.size(), " rates, not ", values.size()));
  std::ranges::copy(values, rates.begin());
}

}  // namespace

Limits limits_from_json(const json& j) {
  Limits l;
  read_field(j, "fp32_flops_per_s", l.fp32_flops_per_s);
  read_field(j, "bf16_flops_per_s", l.bf16_flops_per_s);
  if (j.contains("fp16_flops_per_s")) read_field(j, "fp16_flops_per_s", l.fp16_flops_per_s);
  read_field(j, "fp64_flops_per_s", l.fp64_flops_per_s);
  read_field(j, "exps_per_s", l.exps_per_s);
  if (j.contains("link_bytes_per_s")) {  // journals of older versions have none
    read_field(j, "link_latency_s", l.link_latency_s);
    read_field(j, "link_bytes_per_s", l.link_bytes_per_s);
  }
  read_rates(j, "triad_bytes_per_s", l.triad_bytes_per_s);
  if (j.contains("read_bytes_per_s")) read_rates(j, "read_bytes_per_s", l.read_bytes_per_s);
  return l;
}

}  // namespace bench::analysis
