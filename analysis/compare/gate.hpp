// SPDX-License-Identifier: Apache-2.0
// Whether a change may go in. A case is a regression when it is *shown* to be slower by more than the policy
// allows: the lower end of the interval of new/old is above 1 + worse_by, the adjusted p is below alpha, and
// the times differ by more than the floor. What was not looked at does not pass.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/compare/comparison.hpp"
#include "analysis/compare/policy.hpp"

namespace bench::analysis {

struct GateRow {
  enum class State : std::uint8_t {
    passed,
    regression,
    failed_criterion,  // one of row.criteria
    out_of_bounds,     // of the policy's absolute bounds
    missing,           // measured before, not any more; or a bound that fits no case
    undecided,         // too few launches, or a criterion that was not measured
    invalid,           // failed, or a figure that is no number
    new_case,          // nothing to hold it against
    improved,          // shown to be faster by more than the margin
  };
  std::string name;
  State state = State::passed;
  std::string reason;   // in words, with figures
  Estimate ratio;       // new / old time; NaN without both
  bool blocks = false;  // this row alone keeps the gate shut
};
/// "passed", "regression", "failed criterion", "out of bounds", ...
std::string_view to_text(GateRow::State state);

struct GateResult {
  std::vector<GateRow> rows;  // as in the comparison, then the bounds that fit no case
  bool passed = false;
  std::string headline;  // one line: "failed: 1 regression among 12 cases; worst: ..."
};

/// Whether a row of this state keeps the gate shut: what is missing or undecided does unless the policy
/// allows it; regression, failed_criterion, out_of_bounds and invalid always do.
bool fails(const GateRow& row, const Policy& policy);

/// Judges every row. `comparison` was made with policy.compare and has its criteria applied.
/// Error(no_match) "nothing to compare: ..." when no case has times on both sides, and Error(usage) when none
/// has the launches that a verdict needs: a gate that cannot fail must not pass. Both give way to a row that
/// is broken for certain (invalid, failed_criterion, out_of_bounds), as the gate then has something to say.
GateResult gate(const Comparison& comparison, const Policy& policy);

}  // namespace bench::analysis
