// SPDX-License-Identifier: Apache-2.0
// The SM clock during a stretch of device time, from readings of two clocks at its ends. Pure.
#pragma once

#include <cstdint>
#include <span>

namespace bench::device {

/// Both clocks of one SM, read together. `ns` 0: this SM was not read.
struct alignas(16) Stamp {
  std::uint64_t cycles = 0;  // clock64: of this SM only, counts at its clock
  std::uint64_t ns = 0;      // %globaltimer
};

/// A rate is given from this many steps of %globaltimer on: a reading is off by up to a step at either end,
/// so the rate by up to 2 %, well within the 5 % at which a sample counts as throttled.
inline constexpr std::uint64_t kStepsToTrust = 100;

/// MHz: the median over the SMs that were read at both ends of d(cycles) / d(ns), since counters of two SMs
/// share no origin. `begin` and `end` are indexed by SM. NaN when no SM was read twice, or none over
/// kStepsToTrust steps of `step_ns`.
double clock_mhz(std::span<const Stamp> begin, std::span<const Stamp> end, std::uint64_t step_ns);

}  // namespace bench::device
