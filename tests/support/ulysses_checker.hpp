// SPDX-License-Identifier: Apache-2.0
// Checks the op lists of all ranks of a group that goes from shares of the sequence to shares of the heads
// and back.
#pragma once

#include <string>
#include <vector>

#include "kernels/attention/ulysses_schedule.hpp"

namespace bench::support {

/// SlotPlay's rules, and: every rank unpacks every rank's inputs once before it attends, attends once, and
/// unpacks every rank's results once; results are packed after attending. So every pair of blocks meets once
/// on every rank. Returns the first violation in words, or nothing.
std::string check_ulysses(const std::vector<std::vector<attention::UlyssesOp>>& ranks);

}  // namespace bench::support
