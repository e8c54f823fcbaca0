// SPDX-License-Identifier: Apache-2.0
// What the planner is told about the machine.
#pragma once

#include "scaling/plan.hpp"

namespace bench::cli {

/// For plan and dry runs: this node, with all `ranks` on it.
scaling::Machine machine_without_mpi(std::int64_t ranks);

}  // namespace bench::cli
