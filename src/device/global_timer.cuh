// SPDX-License-Identifier: Apache-2.0
// The device's clock of nanoseconds. It runs at one rate whatever the SM's clock does, and steps by 32 ns to
// about 1 us, depending on the chip (global_timer_step_ns measures it).
#pragma once

#include <cstdint>

namespace bench::device {

__device__ inline std::uint64_t global_ns() {
  std::uint64_t now = 0;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now)::"memory");
  return now;
}

}  // namespace bench::device
