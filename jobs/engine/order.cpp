// SPDX-License-Identifier: Apache-2.0
#include "jobs/engine/order.hpp"

#include <nlohmann/json.hpp>

#include "analysis/record_json.hpp"

namespace bench::jobs {

using nlohmann::json;

std::string to_text(const Order& o) {
  if (o.leave) return R"({"leave":true})";
  return json{{"assignment", o.assignment}, {"case", o.case_index}, {"visit", o.visit},     {"attempt", o.attempt},
              {"first", o.first_rank},      {"ranks", o.ranks},     {"block", o.block},     {"generation", o.generation},
              {"placement", o.placement},   {"limit_s", o.limit_s},     {"neighbours", o.neighbours}}
      .dump();
}

Order parse_order(const std::string& text) {
  const json j = json::parse(text);
  Order o;
  o.leave = j.value("leave", false);
  if (o.leave) return o;
  j.at("assignment").get_to(o.assignment);
  j.at("case").get_to(o.case_index);
  j.at("visit").get_to(o.visit);
  j.at("attempt").get_to(o.attempt);
  j.at("first").get_to(o.first_rank);
  j.at("ranks").get_to(o.ranks);
  j.at("block").get_to(o.block);
  j.at("generation").get_to(o.generation);
  j.at("placement").get_to(o.placement);
  j.at("limit_s").get_to(o.limit_s);
  j.at("neighbours").get_to(o.neighbours);
  return o;
}

std::string to_text(const Report& report) {
  return json{{"assignment", report.assignment}, {"record", analysis::to_json(report.record)}}.dump();
}

Report parse_report(const std::string& text) {
  const json j = json::parse(text);
  return {j.at("assignment").get<std::int64_t>(), analysis::visit_from_json(j.at("record"))};
}

}  // namespace bench::jobs
