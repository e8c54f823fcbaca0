// SPDX-License-Identifier: Apache-2.0
// The crossovers that a study asked for, as a table.
#pragma once

#include "analysis/table.hpp"

namespace bench::analysis {

/// One row per crossover; none when the study asks for none.
Section crossovers_section(const RunRecord& run, const Results& results);

}  // namespace bench::analysis
