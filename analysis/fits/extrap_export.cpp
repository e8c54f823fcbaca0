// SPDX-License-Identifier: Apache-2.0
#include "analysis/fits/extrap_export.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "analysis/fits/fit_rows.hpp"
#include "src/core/error.hpp"

namespace bench::analysis {
namespace {

void require_whole(const ExtrapCurve& curve) {
  BS_REQUIRE(curve.coordinates.size() == curve.values.size(), curve.callpath, " has ",
             curve.coordinates.size(), " coordinates and ", curve.values.size(), " lists of values");
  for (const std::vector<double>& values : curve.values)
    BS_REQUIRE(!values.empty() && std::ranges::all_of(values, [](double v) { return std::isfinite(v); }),
               curve.callpath, " has a point without finite values");
}

/// The shortest decimal without exponent that reads back as the same double.
std::string plain(double value) {
  std::array<char, 400> text{};  // the smallest double has 324 zeros
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed).ptr;
  return {text.data(), end};
}

std::string without_blanks(std::string name) {
  std::ranges::replace_if(
      name, [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }, '_');
  return name;
}

/// 4 rather than 4.0: coordinates are counts.
nlohmann::json number(double value) {
  if (value == std::floor(value) && std::abs(value) < 0x1p53) return static_cast<std::int64_t>(value);
  return value;
}

}  // namespace

std::string extrap_json_lines(std::span<const ExtrapCurve> curves) {
  std::string text;
  for (const ExtrapCurve& curve : curves) {
    require_whole(curve);
    for (std::size_t i = 0; i < curve.coordinates.size(); ++i) {
      const nlohmann::ordered_json line = {{"params", {{curve.parameter, number(curve.coordinates[i])}}},
                                           {"callpath", curve.callpath},
                                           {"metric", curve.metric},
                                           {"value", curve.values[i]}};
      text += line.dump() + '\n';
    }
  }
  return text;
}

std::string extrap_text(const ExtrapCurve& curve) {
  require_whole(curve);
  std::string text = concat("PARAMETER ", without_blanks(curve.parameter), "\nPOINTS");
  for (const double coordinate : curve.coordinates) text += " (" + plain(coordinate) + ')';
  text +=
      concat("\nMETRIC ", without_blanks(curve.metric), "\nREGION ", without_blanks(curve.callpath), '\n');
  for (const std::vector<double>& values : curve.values) {
    text += "DATA";
    for (const double value : values) text += ' ' + plain(value);
    text += '\n';
  }
  return text;
}

std::vector<ExtrapCurve> extrap_curves(const RunRecord& run, const Results& results) {
  std::vector<ExtrapCurve> curves;
  for (const MeasuredCurve& measured : measured_curves(run, results)) {
    if (measured.points.empty()) continue;
    const std::string callpath =
        concat(measured.tag.study, "->", measured.kernel, "->", measured.tag.mode,
               measured.tag.by.empty() ? "" : ":", measured.tag.by, "->", measured.tag.series);
    ExtrapCurve curve{.parameter = "p", .callpath = callpath, .metric = "time"};
    for (const CurvePoint& point : measured.points) {
      curve.coordinates.push_back(static_cast<double>(point.ranks));
      curve.values.push_back(point.visits_s);
    }
    curves.push_back(std::move(curve));
  }
  return curves;
}

}  // namespace bench::analysis
