// SPDX-License-Identifier: Apache-2.0
// The scaling-efficiency table: every point of every curve against the rank count wished for as the base, or
// the smallest that ran.
#pragma once

#include "analysis/results.hpp"

namespace bench::analysis {

/// The time of a case, its interval at `confidence` instead of the run's: of its samples, or of its visits.
Estimate time_at(const RunRecord& run, const Results& results, std::size_t row, double confidence);
/// T_a / T_b of two cases: Welch on log visit medians when both have 3 visits, else from order-statistic
/// intervals at confidence `each`.
Estimate time_ratio(const RunRecord& run, const Results& results, std::size_t numerator,
                    std::size_t denominator, double each);

std::vector<ScalingRow> scaling_rows(const RunRecord& run, const Results& results);

}  // namespace bench::analysis
