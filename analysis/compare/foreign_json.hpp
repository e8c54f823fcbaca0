// SPDX-License-Identifier: Apache-2.0
// What the readers of other tools' JSON share: text to JSON, times, figures, and errors that say where in the
// file they are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "analysis/compare/side.hpp"
#include "src/core/error.hpp"

namespace bench::analysis {

/// Parses JSON as benchmark tools write it: NaN, Infinity and -Infinity, which C++ and Python programs print
/// bare though JSON has no such words, become texts. Error(io) with the line for what is no JSON, and for
/// nesting past 64 levels.
nlohmann::json parse_foreign(const std::string& text);

/// A member that is there and not null; nullptr otherwise.
const nlohmann::json* find_member(const nlohmann::json& object, const char* field);

/// Times of `unit_s` seconds each as seconds: finite and not below 0. (A tool can print 0 for what is too
/// fast for it; that is for the comparison to call invalid.) Error(io) names the field. A list must not be
/// empty.
double take_time_s(const nlohmann::json& value, const std::string& field, double unit_s = 1.0);
std::vector<double> take_times_s(const nlohmann::json& list, const std::string& field);

/// `amount` units of `unit_bytes` bytes. Error(io) for what is negative or does not fit.
std::int64_t take_bytes(const nlohmann::json& amount, const std::string& field, double unit_bytes = 1.0);

/// Text, number or flag as text; nothing for null, lists and objects, and for an empty text.
std::optional<std::string> scalar_text(const nlohmann::json& value);

/// Adds a value to those of `key`; several distinct ones stand sorted with " | " between, so that their order
/// makes no difference.
void add_environment(std::map<std::string, std::string>& to, const std::string& key,
                     const std::string& values);

/// Makes `measured`, whose visits are one launch, whole: launches_s from visits_s, and no times unless it is
/// ok.
void close_launch(Measured& measured);

/// Runs `read`; an error of it begins with `where` in the file it stands.
template <class Read>
void read_within(const std::string& where, Read&& read) {
  try {
    read();
  } catch (const Error& error) {
    throw Error(error.kind(), concat(where, ": ", error.what()));
  }
}

}  // namespace bench::analysis
