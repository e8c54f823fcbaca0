// SPDX-License-Identifier: Apache-2.0
// The recurrence's backward pass over a rank's steps, which may be all of them, and with the steps cut over
// ranks, whichever way the carries travel. One kernel file per Exchange names its costs.
#pragma once

#include <cstdint>

#include "kernels/kernel.hpp"
#include "kernels/scan/carry.hpp"
#include "kernels/scan/recurrence.hpp"
#include "kernels/scan/recurrence_bwd_rows.hpp"

namespace bench::scan {

/// This rank's steps of one batch entry. `h_before` (B, C) in the state's type: h before the first of them.
BackRowBlock back_block_of_entry(const RecurrenceProblem& p, Tensors& tensors, const std::byte* h_before,
                                 std::int64_t entry, int rank);

/// Workspace bytes a rank: a record, h before the share, the halo's two rows and the exchange's room.
std::int64_t recurrence_bwd_share_bytes(const Problem& problem, Exchange how);

/// Collective over context.link, whose size is problem.ranks; `tensors` are this rank's shares. Each rank
///   (1) gives its last row of h to the next rank, whose first step needs it;
///   (2) but the first carries its share from zero, last step first: record (prod a, end) per entry and
///   channel; (3) by the exchange, ranks in reverse order, makes of dh_last the gradient that enters its
///   share; (4) scans its share from there. The first rank's end goes to all as dh0.
/// 7 streams (a and dh twice, h, da and db once) where one rank moves 5: a work factor of 7/5.
void scan_recurrence_bwd_share(const Problem& problem, Tensors& tensors, Context& context, Exchange how);

}  // namespace bench::scan
