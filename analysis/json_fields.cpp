// SPDX-License-Identifier: Apache-2.0
#include "analysis/json_fields.hpp"

#include <algorithm>

namespace bench::analysis {

using nlohmann::json;

void refuse_field(const std::string& field, const std::string& wanted, const json& got) {
  constexpr std::size_t kShown = 40;  // characters: enough to find it, short enough for a line
  const std::string text = got.dump(-1, ' ', true, json::error_handler_t::replace).substr(0, kShown);
  throw Error(ErrorKind::io, concat("field '", field, "' must be ", wanted, ", not ", text));
}

bool is_int64(const json& value) {
  return value.is_number_integer() && !(value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX);
}

const json& member(const json& object, const char* field) {
  if (!object.is_object()) refuse_field(field, "inside an object", object);
  const auto it = object.find(field);
  if (it == object.end()) throw Error(ErrorKind::io, concat("field '", field, "' is missing"));
  return *it;
}

const json& list_member(const json& object, const char* field) {
  const json& value = member(object, field);
  if (!value.is_array()) refuse_field(field, "a list", value);
  return value;
}

void take(const json& value, const std::string& field, std::string& to) {
  if (!value.is_string()) refuse_field(field, "text", value);
  to = value.get<std::string>();
}

void take(const json& value, const std::string& field, bool& to) {
  if (!value.is_boolean()) refuse_field(field, "true or false", value);
  to = value.get<bool>();
}

void take(const json& value, const std::string& field, std::int64_t& to) {
  if (!is_int64(value)) refuse_field(field, "a whole number", value);
  to = value.get<std::int64_t>();
}

void take(const json& value, const std::string& field, double& to) {
  if (!value.is_number()) refuse_field(field, "a number", value);
  to = value.get<double>();
}

void take(const json& value, const std::string& field, Outcome& to) {
  std::string name;
  take(value, field, name);
  if (std::ranges::find(kOutcomeNames, name) == kOutcomeNames.end()) refuse_field(field, "an outcome", value);
  to = parse_outcome(name);
}

}  // namespace bench::analysis
