// SPDX-License-Identifier: Apache-2.0
// The co-run audit's answer: were times beside neighbours the times alone? Pure. The choice of cases and the rule: scaling/audit.hpp.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "analysis/results.hpp"
#include "analysis/table.hpp"
#include "scaling/audit.hpp"

namespace bench::analysis {

/// VisitRecord::placement of an audit's visit: alone on the machine, compared with the case's packed visits and counted nowhere else.
inline constexpr const char* kAuditPlacement = "audit";

struct AuditRow {
  std::string kernel;
  std::size_t pairs = 0;  // cases with a packed and an audit time
  Estimate ratio;         // packed / alone: exp(mean +- t s / sqrt(n)) over the pairs' logarithms; no interval below 3 pairs
  scaling::Contention contention = scaling::Contention::undecided;
};

/// One row a kernel that was audited, by name.
std::vector<AuditRow> audit_rows(const RunRecord& run);

/// Ids of the cases that some visit had beside it, or that had a neighbour themselves; visits to which nothing could be a neighbour do not count.
std::set<std::string> packed_cases(const RunRecord& run);

/// Which visits make the times of a case: its solo ones where it has them besides packed ones (measured again alone, `--audit=fix`), else
/// all; never an audit's. One entry a visit.
std::vector<bool> visits_that_count(const RunRecord& run);

/// The table of audit_rows; empty when nothing was audited.
Section audit_section(const RunRecord& run);

}  // namespace bench::analysis
