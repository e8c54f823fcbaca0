// SPDX-License-Identifier: Apache-2.0
// The table of a warm-up study: cases that differ in `warmup` alone stand together.
#pragma once

#include "analysis/table.hpp"

namespace bench::analysis {

/// Mean, sd and CV over all samples of a case (none left out: what a short warm-up does to them is the question), and the difference of its
/// mean to that after 5 calls. Empty when no case has a parameter `warmup`.
Section warmup_section(const RunRecord& run, const Results& results);

}  // namespace bench::analysis
