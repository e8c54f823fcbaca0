// SPDX-License-Identifier: Apache-2.0
// From a study to a plan: which cases there are, which of them can run here, and how each is measured. Pure:
// the same inputs give the same plan on every rank, so no rank has to tell another.
//
// A plan has no times and no blocks. tasks.hpp lists its visits in order of preference, dispatch.hpp starts
// them on blocks of ranks as these fall free, and static_dispatch.hpp follows a schedule made beforehand.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/kernel.hpp"
#include "scaling/case.hpp"
#include "scaling/study.hpp"

namespace bench::scaling {

/// What the plan needs to know of the machine.
struct Machine {
  std::int64_t ranks = 1;
  std::int64_t ranks_per_node = 1;
  std::int64_t cores_per_node = 1;
  std::int64_t memory_bytes_per_node = 0;  // available; 0: unknown, nothing is infeasible for memory
  // [ranks] node of each rank, ascending from 0, where nodes differ (a rank died); empty: ranks_per_node on each
  std::vector<std::int64_t> rank_nodes = {};
};

struct Plan {
  std::vector<Case> cases;  // every case, also those that will not run; unique ids
  std::string sha256;       // over the ids, order and settings: resume refuses another plan
  RunSettings run;
  Machine machine;  // that it was made for
};

/// Kernels known by name but not in this build (a suffix-gated file whose library was absent), with the
/// reason.
struct MissingKernel {
  std::string name, reason;
};

/// Expands the study over the registered ops and kernels. A pattern that matches no known kernel of its op is
/// a usage error with the nearest name; a known but missing kernel becomes skipped rows. Duplicate cases
/// merge (their sweeps and scaling tags join; a case that one sweep drops and another wants is wanted). A
/// point that `where` or `except` drops is one skipped row, under the sweep's first kernel. In a sweep with
/// `scaling`, kernels that are not collective take part on one rank only. Two ids that share their first 12
/// digits are an error, as is a value the op refuses (with sweep and point). Error(no_match) when nothing is
/// left.
std::vector<Case> make_cases(const Study& study, const std::vector<MissingKernel>& missing,
                             const Machine& machine);
/// The cases with the run's isolation laid over theirs, the settings, and the hash over all that decides the
/// schedule.
Plan make_plan(const Study& study, std::vector<Case> cases, const Machine& machine);
/// A node's cores are split evenly among all its ranks, also those that sleep while this case runs. When a
/// rank's share is smaller than the case's threads, they share cores: such rows are marked and get no
/// efficiency. False when the number of cores is unknown (0).
bool is_oversubscribed(const Case& c, const Machine& machine);

}  // namespace bench::scaling
