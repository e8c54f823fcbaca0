// SPDX-License-Identifier: Apache-2.0
// The selective scan's backward pass with the steps cut over ranks, whichever way the carries travel. One
// kernel file per Exchange names its costs; on one rank this is the threaded backward pass.
#pragma once

#include <cstdint>

#include "kernels/kernel.hpp"
#include "kernels/scan/carry.hpp"

namespace bench::scan {

/// Workspace bytes a rank, the longest share's; see selective_bwd_share.cpp for what lies in it. Besides the
/// carries it holds 1 + N states per channel for every 64 steps, and per thread what dB and dC of 64 steps
/// need.
std::int64_t selective_bwd_share_bytes(const Problem& problem, Exchange how);

/// Collective over context.link, whose size is problem.ranks; `tensors` are this rank's shares. Each rank
///   (1) surveys its share: from zero, first step to last, the states every 64 steps, and both its carries at
///   once:
///       (sum of d; N end states), and the same for a gradient that enters behind its last step;
///   (2) by two exchanges, the second with the ranks in reverse order, learns the states before its share and
///       the gradient behind it;
///   (3) settles its share: 64 steps at a time, last to first, the states again and all gradients.
///   (4) dA, dD and ddelta_bias are sums over all steps: added up on the first rank in a fixed order, and
///   sent
///       to all together with dh0. du, ddelta, dz, dB and dC belong to steps, and each rank has its own.
/// Two exponentials a step and state, which is what one rank needs that saved nothing: a work factor of 1.
///
/// Threads take runs of channels, the same in every call. dB and dC are sums over channels: each thread sums
/// its own, then the steps are shared out and the threads' sums added in their order, so no result depends on
/// timing.
void scan_selective_bwd_share(const Problem& problem, Tensors& tensors, Context& context, Exchange how);

}  // namespace bench::scan
