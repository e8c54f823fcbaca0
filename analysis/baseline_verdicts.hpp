// SPDX-License-Identifier: Apache-2.0
// Rivals inside one run: is a case faster than its baseline on the same problem?
#pragma once

#include "analysis/results.hpp"

namespace bench::analysis {

/// Fills speedup_p, hedges_g and verdict of every case that has a baseline. The unit is the visit: both sides ran in the same processes, and
/// the visits of a round stand side by side in random order, so what a launch brings along hits both alike. Every visit allocates and fills
/// anew. p is Welch's on the logarithms of the visits, by Holm over all cases with a baseline. Fewer than 3 visits: insufficient.
void add_verdicts(Results& results, const VerdictRule& rule);

}  // namespace bench::analysis
