// SPDX-License-Identifier: Apache-2.0
// Curves for Extra-P (www.scalasca.org/scalasca/software/extra-p), in two of the formats of its
// docs/file-formats.md, so that its models can be held against ours.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "analysis/results.hpp"

namespace bench::analysis {

/// One curve over one parameter: `values[i]` are the repetitions at `coordinates[i]`, at least one each.
struct ExtrapCurve {
  std::string parameter;  // without blanks: p, seq
  std::string callpath;   // parts joined by "->"
  std::string metric;     // without blanks
  std::vector<double> coordinates{};
  std::vector<std::vector<double>> values{};
};

/// One JSON object a line: {"params":{"p":4},"metric":"time","callpath":"a->b","value":[..]}. Curves may have
/// different points. Throws Error(internal) when a curve has other than as many values as coordinates, or a
/// point without values or with one that is not finite.
std::string extrap_json_lines(std::span<const ExtrapCurve> curves);

/// PARAMETER, POINTS, METRIC, REGION and one DATA line a point. The format has one list of points a file,
/// hence one curve. Numbers are written without exponent, as its grammar has none, and read back as the same
/// doubles. Blanks inside a name become '_'. Throws as extrap_json_lines().
std::string extrap_text(const ExtrapCurve& curve);

/// Every scaling curve of a run over p, ranks: the visits' times in seconds, those that fits are made of
/// (weak studies: at the work per rank of the base). The callpath is study->kernel->mode->series. Points that
/// have no time, and ranks that shared cores, are left out.
std::vector<ExtrapCurve> extrap_curves(const RunRecord& run, const Results& results);

}  // namespace bench::analysis
