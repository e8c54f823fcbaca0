// SPDX-License-Identifier: Apache-2.0
// The selective scan with the steps cut over ranks: what a rank does with its share, whichever way the
// carries travel. One kernel file per Exchange names its costs.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/kernel.hpp"
#include "kernels/scan/carry.hpp"

namespace bench::scan {

/// Why the engine cannot hold this problem; empty when it can. fp64 takes any N, the others N <= 256.
std::string selective_share_limits(const Problem& problem);

/// Workspace bytes a rank: a record, and the exchange's room.
std::int64_t selective_share_bytes(const Problem& problem, Exchange how);

/// Collective over context.link, whose size is problem.ranks; `tensors` are this rank's shares. "State
/// first":
///   (1) each rank but the last carries its share from zero: record (sum of d; N end states) per entry and
///       channel;
///   (2) the exchange makes of h0 the state before each rank's share;
///   (3) each rank scans its share from there;
///   (4) the last rank's state goes to all as h_last.
/// That is twice the exponentials of one rank: a work factor of up to 2. Engine: selective_tile.hpp; for fp64
/// the scalar loops. Threads take strips of a rank's channels; its time is not cut again.
void scan_selective_share(const Problem& problem, Tensors& tensors, Context& context, Exchange how);

}  // namespace bench::scan
