// SPDX-License-Identifier: Apache-2.0
// Checks the op lists of all ranks of a group in which keys and values travel (ring, double ring,
// all-gather).
#pragma once

#include <string>
#include <vector>

#include "kernels/attention/ring_schedule.hpp"

namespace bench::support {

/// SlotPlay's rules, and: every rank computes every source once, from a slot that holds it; the own slot 0 is
/// never written. Returns the first violation in words, or nothing.
std::string check_ring(const std::vector<std::vector<attention::RingOp>>& ranks,
                       int slots = attention::kRingSlots);

}  // namespace bench::support
