// SPDX-License-Identifier: Apache-2.0
// One visit: allocate -> fill by seed -> prepare -> run once -> check against the fp64 oracle -> warm up -> timed samples -> release.
// Nothing is timed that failed its check. Every rank of the block calls visit(); the record is complete on rank 0 of the link.
#pragma once

#include <string>

#include "analysis/record.hpp"
#include "jobs/clock.hpp"
#include "jobs/oracle_cache.hpp"
#include "kernels/kernel.hpp"
#include "kernels/oracle.hpp"
#include "scaling/study.hpp"

namespace bench::jobs {

class Harness {
 public:
  Harness(const scaling::RunSettings& settings, Clock clock) : settings_(settings), clock_(std::move(clock)) {}

  /// Measures `c` on the ranks of `link` (link.size() == c.ranks). Never throws for what the case does: a kernel that throws is `crashed`,
  /// memory that runs out is `oom`, an output that is not the oracle's is `wrong_result`, each with its reason. An exception that leaves
  /// some ranks of a collective case inside run() cannot be voted on; the transport's own error then surfaces on the others.
  analysis::VisitRecord visit(const scaling::Case& c, Link& link);

 private:
  struct Running;
  std::string set_up(Running& running, Outcome& outcome) const;
  void check(Running& running, analysis::VisitRecord& record);
  double warm_up(Running& running, analysis::VisitRecord& record) const;
  void measure(Running& running, analysis::VisitRecord& record, double call_s) const;

  scaling::RunSettings settings_;
  Clock clock_;
  OracleCache oracle_;
};

}  // namespace bench::jobs
