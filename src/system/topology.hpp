// SPDX-License-Identifier: Apache-2.0
// The processor of this node and who runs where on it. The program binds itself: a launcher's binding differs
// from site to site, so each rank takes its share of the cores the node allows us, whatever binding it
// inherited.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct hwloc_topology;

namespace bench::system {

/// Processing units as the operating system numbers them, ascending within a core.
using CpuList = std::vector<int>;

/// What the node has. Counts and sizes are 0, and texts empty, when unknown.
struct Machine {
  std::string cpu_model;
  int packages = 0, numa_nodes = 0;
  int cores = 0, threads = 0;  // allowed to us: hardware cores, and processing units on them
  std::int64_t l1d_bytes = 0, l2_bytes = 0, l3_bytes = 0;  // of one cache each
  std::int64_t memory_bytes = 0;
  double quota_cores = 0;  // CPU time granted by control groups, in cores; 0: no quota
  std::vector<CpuList>
      allowed_cores;  // each core's processing units; neighbours in this list are neighbours in the machine
};

/// A rank's share of its node.
struct CoreShare {
  bool oversubscribed = false;  // more threads than cores: bind nobody, and print no efficiency
  CpuList pus;                  // one processing unit per core; empty when oversubscribed
};

/// Cuts the node's cores into `local_size` neighbouring shares, as equal as they go (the first ones get the
/// odd cores), and returns that of `local_rank`. `threads` > 0 is what each rank will run: it gets that many
/// cores of its share; 0 means the whole share. Only one unit per core is used, because two threads of one
/// kernel on one core share its arithmetic units. Oversubscribed when the ranks' threads outnumber the cores
/// or the CPU quota. Throws Error(internal) unless 0 <= local_rank < local_size and threads >= 0.
CoreShare split_cores(const Machine& machine, int local_rank, int local_size, int threads = 0);

/// hwloc's topology of this node, loaded once (some 10 ms).
class Topology {
 public:
  /// Throws Error(unavailable) when hwloc cannot read the machine.
  Topology();
  const Machine& machine() const { return machine_; }
  /// Binds all threads of this process, and those they start later, to `pus`. False when the system refuses;
  /// an empty list is refused too.
  bool bind_this_process(const CpuList& pus) const;
  /// The processing units that the calling thread may run on now; empty when unknown.
  CpuList current_binding() const;

 private:
  struct Destroy {
    void operator()(hwloc_topology* topology) const;
  };
  std::unique_ptr<hwloc_topology, Destroy> handle_;
  Machine machine_;
};

}  // namespace bench::system
