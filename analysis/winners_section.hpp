// SPDX-License-Identifier: Apache-2.0
// The winner map: per op, the fastest kernel of each problem, how far ahead it is, and who may be as fast.
#pragma once

#include <vector>

#include "analysis/table.hpp"

namespace bench::analysis {

/// One section per op with two problems or more that kernels compete on: with one, the table of cases says it already.
std::vector<Section> winners_sections(const RunRecord& run, const Results& results);

}  // namespace bench::analysis
