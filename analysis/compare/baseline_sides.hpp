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
/// they may, inside one run). Cases that were not tried or whose baseline was not measured are left out, and so is
/// a baseline against itself; a case that failed is there, with its failure.
std::pair<Side, Side> baseline_sides(const RunRecord& run, const Results& results);

/// Holds run.policy against every case with a baseline: one that fails on accuracy gets the verdict `invalid`, however fast it is.
void blank_verdicts(const RunRecord& run, Results& results);

/// What every criterion says of every case that has a baseline, those first that are not met. Empty when the policy has no criteria.
Section criteria_section(const RunRecord& run, const Results& results, const Policy& policy);

}  // namespace bench::analysis
