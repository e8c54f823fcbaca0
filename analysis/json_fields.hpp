// SPDX-License-Identifier: Apache-2.0
// Reading a record's fields from JSON of unknown origin. Every function throws Error(io) that names the field, what it must be and what it
// was. nlohmann's own conversions would name no field, cut 1.5 to 1 and wrap what is too large.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "src/core/outcome.hpp"

namespace bench::analysis {

[[noreturn]] void refuse_field(const std::string& field, const std::string& wanted, const nlohmann::json& got);
/// True for a number without a fraction that fits 64 bits with a sign.
bool is_int64(const nlohmann::json& value);
/// A member that must be there, and one that must be a list.
const nlohmann::json& member(const nlohmann::json& object, const char* field);
const nlohmann::json& list_member(const nlohmann::json& object, const char* field);

/// Takes `value`, which stands in `field`.
void take(const nlohmann::json& value, const std::string& field, std::string& to);
void take(const nlohmann::json& value, const std::string& field, bool& to);
void take(const nlohmann::json& value, const std::string& field, std::int64_t& to);
void take(const nlohmann::json& value, const std::string& field, double& to);
void take(const nlohmann::json& value, const std::string& field, Outcome& to);

template <class T>
void read_field(const nlohmann::json& object, const char* field, T& to) {
  take(member(object, field), field, to);
}
template <class T>
void read_field(const nlohmann::json& object, const char* field, std::vector<T>& to) {
  for (const nlohmann::json& item : list_member(object, field)) take(item, field, to.emplace_back());
}

}  // namespace bench::analysis
