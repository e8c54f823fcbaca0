// SPDX-License-Identifier: Apache-2.0
// The double ring as data (the inner and outer windows of LoongTrain, Gu et al. 2024, arXiv 2406.18485).
// P = outer * inner ranks; rank g * inner + i is place i of group g, so that with ranks numbered by node a
// group is a node or a part of one. At outer step t and inner step s it computes with the block of (g - t,
// i - s). The block that opens an outer step goes to (g + 1, i) on lane 1 while the whole inner ring turns on
// lane 0: the slow link between groups has `inner` computes to hide behind instead of one, and every rank
// uses it at once. Each rank sends P - 1 blocks, as many as in the ring.
//
// Slots: 0 the own block; 1 and 2 receive from the other groups in turn; 3 and 4 from the own group.
#pragma once

#include <vector>

#include "kernels/attention/ring_schedule.hpp"

namespace bench::attention {

inline constexpr int kDoubleRingSlots = 5;

/// Ranks of an inner ring: the largest divisor of `ranks` not above its square root. 1 for a prime: then the
/// outer ring is a plain ring.
int inner_ring_size(int ranks);

/// The operations of `rank` in a double ring of `ranks` >= 1; `inner` divides `ranks`.
std::vector<RingOp> double_ring_schedule(int ranks, int rank, int inner);

}  // namespace bench::attention
