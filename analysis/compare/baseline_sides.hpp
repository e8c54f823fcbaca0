// SPDX-License-Identifier: Apache-2.0
// A run against its own baselines, as the two sides of a comparison: for `run --policy` and a study's `policy:`.
#pragma once

#include <utility>

#include "analysis/compare/comparison.hpp"
#include "analysis/compare/policy.hpp"
#include "analysis/results.hpp"
#include "analysis/table.hpp"

namespace bench::analysis {

/// Before: each case's baseline; after: the case; under the case's id. Visits stand in the place of launches (baseline_verdicts.hpp says why
/// they may, inside one run). Cases without a baseline that was measured are left out, and so is a baseline against itself.
std::pair<Side, Side> baseline_sides(const RunRecord& run, const Results& results);

/// What every criterion says of every case that has a baseline, those first that are not met. Empty when the policy has no criteria.
Section criteria_section(const RunRecord& run, const Results& results, const Policy& policy);

}  // namespace bench::analysis
