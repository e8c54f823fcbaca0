// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare/foreign_json.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string_view>

#include "analysis/json_fields.hpp"
#include "analysis/statistics/ratio.hpp"

namespace bench::analysis {
namespace {

using nlohmann::json;

constexpr int kDeepest = 64;  // the formats read here need 6; printing and freeing JSON recurses
constexpr std::string_view kBetween = " | ";

/// The bare word that starts `text`; empty when none does.
std::string_view bare_word(std::string_view text) {
  constexpr std::array<std::string_view, 3> kWords{"NaN", "Infinity", "-Infinity"};
  const auto* const found =
      std::ranges::find_if(kWords, [&](std::string_view word) { return text.starts_with(word); });
  return found == kWords.end() ? std::string_view{} : *found;
}

/// The end of the string literal that starts at `at`: past its closing quote.
std::size_t literal_end(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at)
    if (text[at] == '\\') ++at;
  return std::min(at + 1, text.size());
}

std::string with_words_quoted(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 64);
  int depth = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = text[i] == '"' ? literal_end(text, i)
                                           : i + std::max<std::size_t>(1, bare_word(text.substr(i)).size());
    const std::string_view token = text.substr(i, end - i);
    const bool quote = token.size() > 1 && token.front() != '"';
    if (token == "[" || token == "{") ++depth;
    if (token == "]" || token == "}") --depth;
    if (depth > kDeepest)
      throw Error(ErrorKind::io, concat("its JSON is nested more than ", kDeepest, " levels deep"));
    if (quote) out += '"';
    out += token;
    if (quote) out += '"';
    i = end;
  }
  return out;
}

}  // namespace

json parse_foreign(const std::string& text) {
  const std::string clean = with_words_quoted(text);
  try {
    return json::parse(clean);
  } catch (const json::parse_error& error) {
    const auto end = clean.begin() + static_cast<std::ptrdiff_t>(std::min(error.byte, clean.size()));
    throw Error(ErrorKind::io,
                concat("it stops being JSON in line ", 1 + std::count(clean.begin(), end, '\n')));
  } catch (const json::exception&) {
    throw Error(ErrorKind::io, "it has a number beyond the range of double");
  }
}

const json* find_member(const json& object, const char* field) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(field);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

double take_time_s(const json& value, const std::string& field, double unit_s) {
  double time = std::nan("");
  if (value.is_number()) take(value, field, time);
  if (!std::isfinite(time) || time < 0.0) refuse_field(field, "a finite time of 0 or more", value);
  return time * unit_s;
}

std::vector<double> take_times_s(const json& list, const std::string& field) {
  if (!list.is_array() || list.empty()) refuse_field(field, "a list of one time or more", list);
  std::vector<double> times_s;
  for (std::size_t i = 0; i < list.size(); ++i)
    times_s.push_back(take_time_s(list[i], concat(field, '[', i, ']')));
  return times_s;
}

std::int64_t take_bytes(const json& amount, const std::string& field, double unit_bytes) {
  double bytes = std::nan("");
  if (amount.is_number()) take(amount, field, bytes);
  bytes *= unit_bytes;
  if (!(bytes >= 0.0 && bytes < 0x1p63)) refuse_field(field, "a size of 0 or more, below 2^63 bytes", amount);
  return static_cast<std::int64_t>(bytes);
}

std::optional<std::string> scalar_text(const json& value) {
  std::string text;
  if (value.is_string())
    text = value.get<std::string>();
  else if (value.is_number() || value.is_boolean())
    text = value.dump();
  return text.empty() ? std::nullopt : std::optional(text);
}

void add_environment(std::map<std::string, std::string>& to, const std::string& key,
                     const std::string& values) {
  std::set<std::string> distinct;
  for (std::string_view rest : {std::string_view(to[key]), std::string_view(values)}) {
    for (std::size_t at = rest.find(kBetween); at != rest.npos; at = rest.find(kBetween)) {
      distinct.emplace(rest.substr(0, at));
      rest.remove_prefix(at + kBetween.size());
    }
    if (!rest.empty()) distinct.emplace(rest);
  }
  std::string joined;
  for (const std::string& value : distinct) joined.append(joined.empty() ? "" : kBetween).append(value);
  to[key] = joined;
}

void close_launch(Measured& measured) {
  constexpr double kAnyConfidence = 0.95;  // of an interval that is not used
  if (measured.outcome != Outcome::ok) {
    measured.visits_s.clear();
    measured.samples = 0;
  }
  measured.launches_s.clear();
  if (!measured.visits_s.empty())
    measured.launches_s.push_back(geometric_mean(measured.visits_s, kAnyConfidence).value);
}

}  // namespace bench::analysis
