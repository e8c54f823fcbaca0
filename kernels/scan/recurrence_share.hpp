// SPDX-License-Identifier: Apache-2.0
// The recurrence with the steps cut over ranks: what a rank does with its share, whichever way the carries
// travel. One kernel file per Exchange names its costs.
#pragma once

#include <cstdint>

#include "kernels/kernel.hpp"
#include "kernels/scan/carry.hpp"

namespace bench::scan {

/// Workspace bytes a rank: a record, and the exchange's room.
std::int64_t recurrence_share_bytes(const Problem& problem, Exchange how);

/// Collective over context.link, whose size is problem.ranks; `tensors` are this rank's shares. "State
/// first":
///   (1) each rank but the last carries its share from zero: record (prod a, end state) per entry and
///   channel; (2) the exchange makes of h0 the state before each rank's share; (3) each rank scans its share
///   from there; (4) the last rank's state goes to all as h_last.
/// The other order, scan from zero and then add prod * start to every h, would read a and h again and write h
/// again: 6 streams where this takes 5 (a and b twice, h once), so the work factor against one rank is 5/3.
void scan_recurrence_share(const Problem& problem, Tensors& tensors, Context& context, Exchange how);

}  // namespace bench::scan
