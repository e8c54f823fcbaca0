// SPDX-License-Identifier: Apache-2.0
#include "src/cli/machine.hpp"

#include <algorithm>

#include "src/system/limits.hpp"

namespace bench::cli {
namespace {

std::int64_t smallest(const comm::Communicator& world, std::int64_t mine) { return std::ranges::min(world.allgather(mine)); }

}  // namespace

Placement place(const comm::Communicator& unordered) {
  const comm::Communicator node = unordered.node();
  // A node is named by its lowest rank; sorting by that name puts neighbours side by side.
  const std::int64_t node_name = std::ranges::min(node.allgather(unordered.rank()));
  comm::Communicator world = *unordered.split(0, static_cast<int>(node_name) * unordered.size() + node.rank());
  system::Topology topology;
  const auto ranks_here = static_cast<std::int64_t>(node.size());
  // Node of each rank, counted up from 0; needed where nodes have different numbers of ranks, as after a death.
  std::vector<std::int64_t> rank_nodes;
  std::int64_t last_name = -1;
  for (const std::int64_t name : world.allgather(node_name)) {
    rank_nodes.push_back(rank_nodes.empty() ? 0 : rank_nodes.back() + (name != last_name ? 1 : 0));
    last_name = name;
  }
  const scaling::Machine machine{.ranks = world.size(),
                                 .ranks_per_node = std::ranges::max(world.allgather(ranks_here)),
                                 .cores_per_node = smallest(world, topology.machine().cores),
                                 .memory_bytes_per_node = smallest(world, system::available_memory_bytes().value_or(0)),
                                 .rank_nodes = std::move(rank_nodes)};
  return {std::move(world), machine, std::move(topology), node.rank(), node.size()};
}

std::string bind(const Placement& placement, const std::string& mode) {
  if (mode == "none") return "left alone";
  const system::CoreShare share = system::split_cores(placement.topology.machine(), placement.local_rank, placement.local_size);
  if (share.oversubscribed) {
    // The launcher may have bound several ranks to one core; they get the whole node to share.
    system::CpuList all;
    for (const system::CpuList& core : placement.topology.machine().allowed_cores) all.insert(all.end(), core.begin(), core.end());
    return placement.topology.bind_this_process(all) ? "oversubscribed: all allowed cores" : "oversubscribed: left alone";
  }
  return placement.topology.bind_this_process(share.pus) ? concat(share.pus.size(), " core(s) of this node each") : "refused by the system";
}

scaling::Machine machine_without_mpi(std::int64_t ranks) {
  const system::Topology topology;
  return {.ranks = ranks,
          .ranks_per_node = ranks,
          .cores_per_node = topology.machine().cores,
          .memory_bytes_per_node = system::available_memory_bytes().value_or(0)};
}

}  // namespace bench::cli
