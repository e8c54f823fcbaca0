// SPDX-License-Identifier: Apache-2.0
// Records as JSON, for the journal and for messages between ranks. Doubles round-trip exactly. A missing or mistyped field, and samples
// that do not fill whole rows of ranks, throw Error(io) that names the field; load_journal adds the line.
#pragma once

#include <nlohmann/json.hpp>

#include "analysis/record.hpp"

namespace bench::analysis {

nlohmann::json to_json(const scaling::Case& c);
scaling::Case case_from_json(const nlohmann::json& json);

nlohmann::json to_json(const VisitRecord& visit);
VisitRecord visit_from_json(const nlohmann::json& json);

nlohmann::json to_json(const std::vector<TimedTelemetry>& readings);
std::vector<TimedTelemetry> telemetry_from_json(const nlohmann::json& json);

nlohmann::json to_json(const Limits& limits);
Limits limits_from_json(const nlohmann::json& json);

}  // namespace bench::analysis
