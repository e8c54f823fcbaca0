// SPDX-License-Identifier: Apache-2.0
// Several launches of one program as one side.
#pragma once

#include <vector>

#include "analysis/compare/side.hpp"

namespace bench::analysis {

/// How bad an outcome is when launches of one case disagree: ok is least, a wrong result most. What was never
/// tried is better than what was and failed.
int severity(Outcome outcome);

/// Joins case by case, as read_side (sides.hpp) documents. A case that only some launches have keeps the
/// times of those.
Side merge_sides(const std::vector<Side>& launches);

}  // namespace bench::analysis
