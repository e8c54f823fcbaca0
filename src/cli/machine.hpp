// SPDX-License-Identifier: Apache-2.0
// Where this run is: ranks in node order, what the planner is told of the machine, and the cores this rank keeps to.
#pragma once

#include <string>

#include "scaling/plan.hpp"
#include "src/comm/communicator.hpp"
#include "src/system/topology.hpp"

namespace bench::cli {

struct Placement {
  comm::Communicator world;   // all ranks, node by node
  scaling::Machine machine;   // of the smallest node, so that a plan holds on every one
  system::Topology topology;  // of this rank's node
  int local_rank = 0, local_size = 1;
};

/// Collective over `unordered`.
Placement place(const comm::Communicator& unordered);

/// Splits the node's allowed cores among its ranks and binds this process to its share; `mode` none leaves binding alone, and so does an
/// oversubscribed node. Says in words what was done, for the provenance.
std::string bind(const Placement& placement, const std::string& mode);

/// For plan and dry runs: this node, with all `ranks` on it.
scaling::Machine machine_without_mpi(std::int64_t ranks);

}  // namespace bench::cli
