// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare/yaml_fields.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "scaling/glob.hpp"
#include "scaling/value.hpp"

namespace bench::analysis {
namespace {

using scaling::show;
using scaling::YamlCursor;

constexpr double kMostSeconds = 1e6;
constexpr std::array<std::pair<std::string_view, double>, 4> kUnits{
    {{"s", 1.0}, {"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}}};

std::optional<double> unit_s(std::string_view name) {
  for (const auto& [unit, seconds] : kUnits)
    if (unit == name) return seconds;
  return std::nullopt;
}

/// The finite number at the front of `text`, and what follows it.
std::optional<std::pair<double, std::string_view>> split_number(std::string_view text) {
  double number = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !std::isfinite(number)) return std::nullopt;
  return std::pair(number, text.substr(static_cast<std::size_t>(end - text.data())));
}

}  // namespace

double read_number(const YamlCursor& at, const Range& range) {
  const std::string text = at.text();
  const auto number = split_number(text);
  if (!number || !number->second.empty())
    at.fail(concat(at.path(), " = ", show(text), "; it has to be a number"));
  if (number->first < range.lo || number->first > range.hi)
    at.fail(concat(at.path(), " = ", show(text), "; it has to be between ", range.lo, " and ", range.hi));
  return number->first;
}

int read_count(const YamlCursor& at, const Range& range) {
  const double number = read_number(at, range);
  if (number != std::floor(number))
    at.fail(concat(at.path(), " = ", show(at.text()), "; it has to be a whole number"));
  return static_cast<int>(number);
}

bool read_flag(const YamlCursor& at) {
  const std::string text = at.text();
  if (text != "true" && text != "false")
    at.fail(concat(at.path(), " = ", show(text), "; it has to be true or false"));
  return text == "true";
}

double read_time_s(const YamlCursor& at) {
  const std::string text = at.text();
  if (const auto number = split_number(text)) {
    const std::string_view unit = scaling::trim(number->second);
    const auto scale = unit.empty() ? std::optional(1.0) : unit_s(unit);
    if (scale && number->first >= 0.0 && number->first * *scale <= kMostSeconds)
      return number->first * *scale;
  }
  at.fail(concat(at.path(), " = ", show(text),
                 "; it has to be a time from 0 on: seconds, or with one of s, ms, us, ns as in 5us"));
}

double read_unit_s(const YamlCursor& at) {
  const auto seconds = unit_s(at.text());
  if (!seconds) at.fail(concat(at.path(), " = ", show(at.text()), "; known units: s, ms, us, ns"));
  return *seconds;
}

std::string read_pattern(const YamlCursor& at) {
  std::string pattern = at.text();
  if (pattern.empty()) at.fail(concat(at.path(), " is empty; it has to be a pattern such as 'attention/*'"));
  at.here([&] { return scaling::matches(pattern, "any name"); });
  return pattern;
}

}  // namespace bench::analysis
