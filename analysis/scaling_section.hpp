// SPDX-License-Identifier: Apache-2.0
// The scaling tables: how efficient every point of every curve is, and what it loses where.
#pragma once

#include <vector>

#include "analysis/results.hpp"
#include "analysis/table.hpp"

namespace bench::analysis {

/// One section per kind of study and base, whose title says both; then one with the factors of every point
/// past its base that has any. Columns that say nothing are left out.
std::vector<Section> scaling_sections(const RunRecord& run, const Results& results);

}  // namespace bench::analysis
