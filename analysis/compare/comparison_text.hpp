// SPDX-License-Identifier: Apache-2.0
// A comparison for people and for programs.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "analysis/compare/comparison.hpp"

namespace bench::analysis {

/// A table: times, ratio with interval, adjusted p, effect size, launches, verdict; then what the verdicts add up to and the reasons.
std::string comparison_text(const Comparison& comparison);

/// The same and more, every field of every row; a figure that does not exist is null, never NaN.
nlohmann::ordered_json to_json(const Comparison& comparison);

}  // namespace bench::analysis
