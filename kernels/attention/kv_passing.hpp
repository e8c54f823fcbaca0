// SPDX-License-Identifier: Apache-2.0
// Executes a list of RingOps: what ring, double ring and all-gather share. A rank keeps its queries and their
// softmax state; blocks of keys and values, (B, Hkv, n, D) each, K then V in one message, fill its slots.
//
// The list is all that tells the variants apart. One exchange may be in flight on each lane; the transport
// gets its turn between query blocks of a compute.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/attention/ring_schedule.hpp"
#include "kernels/attention/shares.hpp"
#include "kernels/kernel.hpp"

namespace bench::attention {

/// What prepare_kv_passing makes; open, so that tests can spoil it.
struct KvPrepared : Prepared {
  std::vector<RingOp> schedule;
  Shares shares;
  std::vector<Tensor> slots;  // each (2, B, Hkv, longest share, D)
};

/// Scratch of a rank: state of its rows, one packed block, scratch per thread. One rank: flash_tiled_cpu's.
std::int64_t kv_passing_workspace_bytes(const Problem& problem);

/// Allocates as many slots as `schedule` names. Null for one rank.
std::unique_ptr<Prepared> prepare_kv_passing(const Problem& problem, std::vector<RingOp> schedule);

/// Plays the prepared list on this rank; all ranks call it together. One rank runs flash_tiled_cpu.
void run_kv_passing(const Problem& problem, Tensors& tensors, Context& context);

}  // namespace bench::attention
