// SPDX-License-Identifier: Apache-2.0
// What a machine's cores can do: the rates that results are held against, by instruction set and level of memory, of one core and of all.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "jobs/clock.hpp"

namespace bench::jobs {

struct MachineRate {
  std::string name;        // "fp32 multiply-add, avx2"
  std::string unit;        // FLOP/s, 1/s, byte/s
  double one_core = 0.0;   // the others idle
  double all_cores = 0.0;  // a thread on each, all at the same time
};

/// Measures them, some 6 s. `cores`: threads of the second column.
std::vector<MachineRate> machine_rates(std::int64_t cores, const Clock& clock);

}  // namespace bench::jobs
