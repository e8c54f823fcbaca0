// SPDX-License-Identifier: Apache-2.0
// Plays the op lists of all ranks of a ring against each other and names the first rule that is broken.
#pragma once

#include <string>
#include <vector>

#include "kernels/attention/ring_schedule.hpp"

namespace bench::support {

/// Rules: every rank computes every source once, from a slot that holds it; a slot that is being sent or
/// received into is not written, one that is being received into is not read; the own slot 0 is never
/// written; what a rank announces to send and to receive is what its peers announce; no rank waits for ever;
/// nothing is left in flight. Returns the first violation in words, or nothing.
std::string check_ring(const std::vector<std::vector<attention::RingOp>>& ranks);

}  // namespace bench::support
