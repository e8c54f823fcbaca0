// SPDX-License-Identifier: Apache-2.0
// Checks the op lists of all ranks of a group in which queries travel.
#pragma once

#include <string>
#include <vector>

#include "kernels/attention/pass_q_schedule.hpp"

namespace bench::support {

/// SlotPlay's rules, and: every rank's queries meet every rank's keys once; a partial result is packed before
/// other visitors overwrite its state, goes to the owner of the queries and is merged there, each once; the
/// own queries' slot 0 is never written. Returns the first violation in words, or nothing.
std::string check_pass_q(const std::vector<std::vector<attention::PassQOp>>& ranks);

}  // namespace bench::support
