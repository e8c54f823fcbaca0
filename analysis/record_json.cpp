// SPDX-License-Identifier: Apache-2.0
#include "analysis/record_json.hpp"

#include <limits>

namespace bench::analysis {
namespace {

using nlohmann::json;

json params_to_json(const Params& params) {
  json object = json::object();
  for (const auto& [name, value] : params) std::visit([&, n = name](const auto& v) { object[n] = v; }, value);
  return object;
}

Params params_from_json(const json& object) {
  Params params;
  for (const auto& [name, value] : object.items()) {
    if (value.is_boolean())
      params[name] = value.get<bool>();
    else if (value.is_number_integer())
      params[name] = value.get<std::int64_t>();
    else
      params[name] = value.get<std::string>();
  }
  return params;
}

/// JSON has no infinity; an error of a NaN output is stored as null.
json finite_or_null(double x) { return x <= std::numeric_limits<double>::max() ? json(x) : json(nullptr); }
double number_or_infinity(const json& value) { return value.is_null() ? std::numeric_limits<double>::infinity() : value.get<double>(); }

}  // namespace

json to_json(const scaling::Case& c) {
  json tags = json::array();
  for (const scaling::ScalingTag& tag : c.scaling)
    tags.push_back({{"study", tag.study}, {"mode", tag.mode}, {"by", tag.by}, {"series", tag.series}});
  return {{"id", c.id},
          {"op", c.op},
          {"kernel", c.kernel},
          {"params", params_to_json(c.params)},
          {"ranks", c.ranks},
          {"threads", c.threads},
          {"isolation", c.isolation == scaling::Isolation::node ? "node" : "none"},
          {"flops", c.cost.flops},
          {"bytes", c.cost.bytes},
          {"exps", c.cost.exps},
          {"wire_bytes", c.cost.wire_bytes},
          {"memory_bytes", c.memory_bytes},
          {"estimate_s", c.estimate_s},
          {"planned", to_text(c.planned)},
          {"reason", c.reason},
          {"baseline", c.baseline},
          {"sweeps", c.sweeps},
          {"scaling", tags}};
}

scaling::Case case_from_json(const json& j) {
  scaling::Case c;
  c.id = j.at("id");
  c.op = j.at("op");
  c.kernel = j.at("kernel");
  c.params = params_from_json(j.at("params"));
  c.ranks = j.at("ranks");
  c.threads = j.at("threads");
  c.isolation = j.at("isolation") == "node" ? scaling::Isolation::node : scaling::Isolation::none;
  c.cost = {.flops = j.at("flops"), .bytes = j.at("bytes"), .exps = j.at("exps"), .wire_bytes = j.at("wire_bytes")};
  c.memory_bytes = j.at("memory_bytes");
  c.estimate_s = j.at("estimate_s");
  c.planned = parse_outcome(j.at("planned").get<std::string>());
  c.reason = j.at("reason");
  c.baseline = j.at("baseline");
  c.sweeps = j.at("sweeps").get<std::vector<std::string>>();
  for (const json& tag : j.at("scaling")) c.scaling.push_back({tag.at("study"), tag.at("mode"), tag.at("by"), tag.at("series")});
  return c;
}

json to_json(const VisitRecord& v) {
  json checks = json::array();
  for (const Check& check : v.checks)
    checks.push_back({{"output", check.output}, {"error", finite_or_null(check.error)}, {"tolerance", check.tolerance}});
  return {{"case_id", v.case_id},
          {"visit", v.visit},
          {"attempt", v.attempt},
          {"outcome", to_text(v.outcome)},
          {"reason", v.reason},
          {"ranks", v.ranks},
          {"block", v.block},
          {"rank_time_s", v.rank_time_s},
          {"calls_per_sample", v.calls_per_sample},
          {"warmup_calls", v.warmup_calls},
          {"stop_reason", v.stop_reason},
          {"tau", v.tau},
          {"start_s", v.start_s},
          {"check_s", v.check_s},
          {"warmup_s", v.warmup_s},
          {"measure_s", v.measure_s},
          {"checks", checks},
          {"rows_checked", v.rows_checked},
          {"peak_memory_bytes", v.peak_memory_bytes},
          {"wire_bytes", v.wire_bytes},
          {"oversubscribed", v.oversubscribed}};
}

VisitRecord visit_from_json(const json& j) {
  VisitRecord v;
  v.case_id = j.at("case_id");
  v.visit = j.at("visit");
  v.attempt = j.at("attempt");
  v.outcome = parse_outcome(j.at("outcome").get<std::string>());
  v.reason = j.at("reason");
  v.ranks = j.at("ranks");
  v.block = j.at("block");
  v.rank_time_s = j.at("rank_time_s").get<std::vector<double>>();
  v.calls_per_sample = j.at("calls_per_sample");
  v.warmup_calls = j.at("warmup_calls");
  v.stop_reason = j.at("stop_reason");
  v.tau = j.at("tau");
  v.start_s = j.at("start_s");
  v.check_s = j.at("check_s");
  v.warmup_s = j.at("warmup_s");
  v.measure_s = j.at("measure_s");
  for (const json& check : j.at("checks"))
    v.checks.push_back({check.at("output"), number_or_infinity(check.at("error")), check.at("tolerance")});
  v.rows_checked = j.at("rows_checked");
  v.peak_memory_bytes = j.at("peak_memory_bytes");
  v.wire_bytes = j.at("wire_bytes");
  v.oversubscribed = j.at("oversubscribed");
  return v;
}

json to_json(const Limits& l) {
  return {{"fp32_flops_per_s", l.fp32_flops_per_s},
          {"bf16_flops_per_s", l.bf16_flops_per_s},
          {"fp64_flops_per_s", l.fp64_flops_per_s},
          {"exps_per_s", l.exps_per_s},
          {"triad_bytes_per_s", l.triad_bytes_per_s}};
}

Limits limits_from_json(const json& j) {
  return {.fp32_flops_per_s = j.at("fp32_flops_per_s"),
          .bf16_flops_per_s = j.at("bf16_flops_per_s"),
          .fp64_flops_per_s = j.at("fp64_flops_per_s"),
          .exps_per_s = j.at("exps_per_s"),
          .triad_bytes_per_s = j.at("triad_bytes_per_s").get<std::array<double, 6>>()};
}

}  // namespace bench::analysis
