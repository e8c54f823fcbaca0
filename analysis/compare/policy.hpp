// SPDX-License-Identifier: Apache-2.0
// What a gate is told: how sure a verdict has to be, what counts as a regression, what else is asked for.
// docs/gate.md is its reference. A key that no policy has is an error, so that a slip of the pen cannot
// switch a check off.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/compare/comparison.hpp"
#include "analysis/compare/criteria.hpp"
#include "scaling/yaml_cursor.hpp"

namespace bench::analysis {

/// Other limits for the cases whose name fits a pattern (scaling/glob.hpp).
struct Override {
  std::string match;
  std::optional<double> worse_by, margin;
};

/// The new time has to lie in [value (1 + lo), value (1 + hi)], whatever the old one was; an absent end is
/// free. lo is in [-1, 0], hi is 0 or more.
struct Bound {
  std::string match;
  double value_s = 0.0;
  std::optional<double> lo, hi;
};

struct Policy {
  CompareRule compare;
  double worse_by = 0.03;        // a regression is shown to be slower by more than this share ...
  double abs_floor_s = 0.0;      // ... and by more seconds than this
  bool allow_missing = false;    // cases that the new side does not have
  bool allow_undecided = false;  // cases with too few launches, or with a criterion that was not measured
  Criteria criteria;
  std::vector<Override> overrides;  // of those that fit a name, the last wins
  std::vector<Bound> bounds;        // all that fit a name hold
};

/// Error(usage) "origin:line:column: ..." for what is no policy.
Policy parse_policy(const std::string& text, const std::string& origin);

/// The same from a file; Error(usage) when it cannot be read.
Policy load_policy(const std::string& path);

/// The block `criteria:` of a policy or a study.
Criteria parse_criteria(const scaling::YamlCursor& at);

/// The share by which this case may be slower.
double worse_by_of(const Policy& policy, const std::string& name);
/// The margin for this case.
double margin_of(const Policy& policy, const std::string& name);

}  // namespace bench::analysis
