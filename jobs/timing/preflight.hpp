// SPDX-License-Identifier: Apache-2.0
// What the clock itself costs, found out once per launch before anything is timed. Nothing is ever subtracted
// for it: a time that comes near it is marked instead (floor_limited).
#pragma once

#include <cstdint>

#include "jobs/clock.hpp"

namespace bench::jobs {

struct TimerFloor {
  double resolution_s = 0.0;  // smallest step that is not zero, of 10 001 pairs of readings
  double overhead_s = 0.0;    // median step: what one timed interval measures when nothing is in it
};

TimerFloor measure_timer(const Clock& clock);

/// A median below so many floors is floor_limited: the clock is then more than 5 % of it.
inline constexpr double kFloorsToTrust = 20.0;

/// The shortest sample, in seconds, in which the clock's own part does not matter: 100 resolutions and 1000 overheads.
double shortest_sample_s(const TimerFloor& floor);

/// Calls of `call_s` seconds that make one sample: the smallest power of two for which the sample is at least `shortest_s` long. At least 1,
/// at most 2^20.
std::int64_t calls_per_sample(double call_s, double shortest_s);

}  // namespace bench::jobs
