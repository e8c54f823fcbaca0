// SPDX-License-Identifier: Apache-2.0
// The table of measured overlaps.
#pragma once

#include "analysis/results.hpp"
#include "analysis/table.hpp"

namespace bench::analysis {

/// A row for every call of which a part was timed, too.
Section overlaps_section(const RunRecord& run, const Results& results);

}  // namespace bench::analysis
