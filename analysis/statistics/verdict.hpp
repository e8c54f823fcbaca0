// SPDX-License-Identifier: Apache-2.0
// What may be said of one case in two sets of results. The unit is the launch (a process start): samples
// inside one launch are not independent, and calling differences from them is wrong about every second pair
// of equal programs.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "analysis/statistics/ratio.hpp"

namespace bench::analysis {

enum class Verdict {
  faster,        // the new time is smaller, and by more than could pass for the same
  slower,        // the new time is larger, likewise
  same,          // shown to differ by less than the margin
  ambiguous,     // neither: more launches would tell
  insufficient,  // too few launches to say anything
  missing,       // measured before, not any more
  new_case,      // not measured before
  invalid,       // a time that is not a positive number, or no p
};
/// "faster", ..., "new" for new_case.
std::string_view to_text(Verdict verdict);

struct VerdictInput {
  std::span<const double> launches_a_s;  // the old side: one time a launch
  std::span<const double> launches_b_s;  // the new side
  double adjusted_p = 1.0;               // of launch_ratio, adjusted over the table it stands in
};

struct VerdictRule {
  double margin = 0.02;      // differences up to 2 % are of no interest
  double alpha = 0.05;       // for adjusted_p
  double confidence = 0.95;  // of the interval shown
  int min_launches = 3;      // a side; there is no interval below 3, so smaller values count as 3
};

struct Decision {
  Verdict verdict = Verdict::invalid;
  Estimate ratio;                               // new / old time; NaN without two valid sides
  std::string reason;                           // one line in words
  std::optional<std::int64_t> launches_needed;  // a side; for insufficient and ambiguous
};

/// In this order: a side without launches is missing, new or (both) invalid; a bad time is invalid; then
/// insufficient; same when the 90 % interval of the ratio lies inside [1/(1+margin), 1+margin], however small
/// p is; faster or slower when adjusted_p < alpha and the interval excludes 1; else ambiguous, with the
/// launches that would find a change of the margin with power 0.8. An adjusted_p that is no probability is
/// invalid too, never a pass.
Decision decide_verdict(const VerdictInput& input, const VerdictRule& rule = {});

}  // namespace bench::analysis
