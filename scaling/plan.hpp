// SPDX-License-Identifier: Apache-2.0
// From a study to a plan: which cases there are, which of them can run here, and who runs what in which
// order. Pure: the same inputs give the same plan on every rank, so no rank has to tell another.
//
// Who runs when is decided while it runs: tasks.hpp lists the visits in order of preference and dispatch.hpp starts
// them on blocks of ranks as these fall free. Visits come in rounds, one to each case. `steps` is a simpler schedule,
// fixed beforehand: a step runs at most one visit on a block [kw, (k+1)w), and the visits of one step touch disjoint
// ranks (and disjoint nodes when isolated).
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

/// One visit: one measurement of one case on one block.
struct Visit {
  std::int64_t case_index = 0;
  std::int64_t number = 0;  // 0 .. visits-1 of this case
  std::int64_t block = 0;   // ranks [block*width, block*width + case ranks)
  std::int64_t width = 1;   // the case's ranks rounded up to a power of two (or the world)
};

struct Plan {
  std::vector<Case> cases;                // every case, also those that will not run; unique ids
  std::vector<std::vector<Visit>> steps;  // visits of one step run side by side
  std::string sha256;                     // over the ids, order and settings: resume refuses another plan
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
/// Blocks, order and steps for the cases that are to be measured.
Plan make_plan(const Study& study, std::vector<Case> cases, const Machine& machine);
/// A node's cores are split evenly among all its ranks, also those that sleep while this case runs. When a
/// rank's share is smaller than the case's threads, they share cores: such rows are marked and get no
/// efficiency. False when the number of cores is unknown (0).
bool is_oversubscribed(const Case& c, const Machine& machine);

}  // namespace bench::scaling
