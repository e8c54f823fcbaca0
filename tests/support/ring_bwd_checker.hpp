// SPDX-License-Identifier: Apache-2.0
// Plays the op lists of all ranks of a backward pass in which keys travel (ring, double ring, all-gather)
// against each other and names the first rule that is broken.
#pragma once

#include <string>
#include <vector>

#include "kernels/attention/ring_bwd_schedule.hpp"

namespace bench::support {

/// Rules: every rank computes every source once, from a key slot that holds it, into a sum slot of its own; a
/// slot that is being sent or received into is not written, one that is being received into is not read; the
/// own keys (slot 0) are never written; sums are added only to sums of the same block and never a rank's part
/// twice; what a rank announces to send and to receive is what its peers announce, in the order of their
/// posts; a lane carries one exchange of keys and one of sums at a time, and there are kExchangeLanes of
/// them; an exchange is over only when both peers have posted theirs; no rank waits for ever; nothing is left
/// in flight; at the end slot 0 of every rank holds the sums of its own block from all ranks. Returns the
/// first violation in words, or nothing.
std::string check_ring_bwd(const std::vector<std::vector<attention::RingBwdOp>>& ranks,
                           int key_slots = attention::kRingKeySlots,
                           int sum_slots = attention::kRingSumSlots);

}  // namespace bench::support
