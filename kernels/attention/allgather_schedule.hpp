// SPDX-License-Identifier: Apache-2.0
// All-gather of keys and values as data: every rank sends its own block straight to every other rank, then
// computes. Nothing hides behind compute: that is the point of the variant (it is what most libraries do),
// and the ring's gain over it is the value of overlap. The exchanges are point to point and not one
// collective, so that shares of unequal length go without padding.
//
// Slot d holds the block of rank r - d (mod P); slot 0 is the own one. Round d sends to r + d and receives
// from r - d, so no two ranks send to the same one at once; two rounds are in flight.
#pragma once

#include <vector>

#include "kernels/attention/ring_schedule.hpp"

namespace bench::attention {

/// The operations of `rank` in a group of `ranks` >= 1; uses `ranks` slots.
std::vector<RingOp> allgather_schedule(int ranks, int rank);

}  // namespace bench::attention
