// SPDX-License-Identifier: Apache-2.0
// Several runs as one: shards of a study, runs of it on several numbers of ranks, a study in pieces. Pure; docs/slurm.md shows the use.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "analysis/record.hpp"

namespace bench::analysis {

struct MergeRule {
  bool allow_environment_change = false;
};

/// What a person should be told of a merge.
struct MergeReport {
  std::size_t sources = 0;
  std::size_t identical_visits = 0;         // came in more than one input and are kept once
  std::size_t cases_of_several_sources = 0;  // have visits of different runs: more visits, each with its source
  std::vector<std::string> notes;           // settings that the runs do not share
};

/// Joins cases by id and keeps every measurement once:
/// - the same visit in two inputs (every figure alike, whatever its number) is one;
/// - different visits of one case are kept side by side, each with the run_id of the run that made it, those of later runs
///   numbered on where a number is taken. A case that one run measured and another lost (timeout, crash, ...) counts as measured;
///   one that was wrong in any run is wrong.
/// - a case that one run could not place and another measured is measured; sweeps and scaling tags join, so that runs on several numbers of
///   ranks make one efficiency table;
/// - limits of one width are the better of the runs, and none when the runs are of different environments;
/// - readings of the telemetry get a figure `source`, the row of their run among the sources.
/// The result does not depend on the order of `runs`, and merging merged runs gives what merging all at once gives. journal_bytes is empty.
/// Error(usage) without runs, and for different environments, listing what differs, unless the rule allows them.
RunRecord merge_runs(const std::vector<RunRecord>& runs, const MergeRule& rule = {}, MergeReport* report = nullptr);

}  // namespace bench::analysis
