// SPDX-License-Identifier: Apache-2.0
// Over a whole sweep: by how much a kernel is faster than its baseline, on the average and where it is least so.
#pragma once

#include "analysis/table.hpp"

namespace bench::analysis {

/// One row per sweep and kernel with speed-ups in two cells or more, in the order of the cases. The mean is geometric over the cells; its interval
/// takes the cells' intervals for independent: half width sqrt(sum h_i^2) / n on logarithms, h_i half the cell's. Blank when a cell has none.
Section rivals_section(const RunRecord& run, const Results& results);

}  // namespace bench::analysis
