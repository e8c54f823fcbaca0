// SPDX-License-Identifier: Apache-2.0
// The all-gather's backward pass as data: every rank sends its own block of keys and values straight to every
// other rank, computes its rows against all blocks, and then the parts of dK and dV that each rank has of
// every block are reduce-scattered round a ring. Nothing hides behind compute, as in the forward pass.
//
// Key slot d, and sum slot d, hold the block of rank r - d (mod P); 0 is the own one. The gather is the
// forward's (allgather_schedule.hpp), two rounds in flight. Then at step d rank r sends what is summed up of
// block r - d to r + 1, receives that of block r - d - 1 from r - 1 into sum slot P and adds it to its own
// part: block b is summed from rank b + 1 on round to b, where it is whole. P - 1 blocks each way.
#pragma once

#include <vector>

#include "kernels/attention/ring_bwd_schedule.hpp"

namespace bench::attention {

/// The operations of `rank` in a group of `ranks` >= 1; uses `ranks` key slots and one sum slot more, at
/// least when ranks > 1.
std::vector<RingBwdOp> allgather_bwd_schedule(int ranks, int rank);

}  // namespace bench::attention
