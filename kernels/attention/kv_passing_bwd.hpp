// SPDX-License-Identifier: Apache-2.0
// Executes a list of RingBwdOps: what the backward ring, double ring and all-gather share. A rank keeps its
// rows and sums their dQ; key slots hold blocks of K and V, (B, Hkv, n, D) each, one behind the other in one
// message, in the tensors' dtype; sum slots hold dK and dV of a block in the same way, in fp32 (fp64).
//
// The list is all that tells the variants apart. One exchange of keys and one of sums may be in flight on
// each lane; the transport gets its turn between blocks of a compute.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/attention/ring_bwd_schedule.hpp"
#include "kernels/attention/shares.hpp"
#include "kernels/kernel.hpp"

namespace bench::attention {

/// The list of one rank; every rank's list uses the same slots.
using BwdSchedule = std::vector<RingBwdOp> (*)(int ranks, int rank);

/// Slots of each kind that a list uses.
struct BwdSlots {
  int keys = 1, sums = 1;
};
BwdSlots slots_of(const std::vector<RingBwdOp>& schedule);

/// What prepare_kv_passing_bwd makes; open, so that tests can spoil it.
struct KvBwdPrepared : Prepared {
  std::vector<RingBwdOp> schedule;
  Shares shares;
};

/// Scratch of a rank: all slots, the packed rows, one packed block, and what save_forward needs. One rank:
/// flash_tiled_bwd_cpu's.
std::int64_t kv_passing_bwd_workspace_bytes(const Problem& problem, BwdSchedule schedule);

/// Runs the forward pass (save_forward) and makes this rank's list. Collective.
std::unique_ptr<Prepared> prepare_kv_passing_bwd(const Problem& problem, Tensors& tensors, Context& context,
                                                 BwdSchedule schedule);

/// Plays the prepared list on this rank; all ranks call it together. One rank runs flash_tiled_bwd_cpu.
void run_kv_passing_bwd(const Problem& problem, Tensors& tensors, Context& context);

}  // namespace bench::attention
