// SPDX-License-Identifier: Apache-2.0
// The double ring's backward pass as data. Keys and values go round as in the forward pass
// (double_ring_schedule.hpp): at outer step t and inner step s rank (g, i) meets the block of (g - t, i - s),
// with the same key slots and lanes.
//
// The sums (dK, dV) follow on both rings as they do on one (ring_bwd_schedule.hpp). Inside a group, what its
// ranks add to the blocks of group g - t goes round one step behind the keys and ends at place i, where the
// block of (g - t, i) came in: what that place added at s = 0 waits there. That last inner hop is under way
// while the next outer step begins. Between groups, the sums of a whole group follow the blocks one outer
// step behind: during outer step t rank (g, i) passes on those of (g - t + 1, i), which now hold all groups
// behind it, behind the rest of the inner ring. What the own group added waits at home. So the sums travel P
// - 1 times, P / inner - 1 of them between groups. With inner = 1 this is the ring's list.
//
// Sum slots: 0 the own block's; 1 to 3 in turn the sums of an outer step, as the ring has them; 4 to 6 in
// turn those of an inner step.
#pragma once

#include <vector>

#include "kernels/attention/ring_bwd_schedule.hpp"

namespace bench::attention {

inline constexpr int kDoubleRingSumSlots = 7;

/// The operations of `rank` in a double ring of `ranks` >= 1; `inner` divides `ranks`.
std::vector<RingBwdOp> double_ring_bwd_schedule(int ranks, int rank, int inner);

}  // namespace bench::attention
