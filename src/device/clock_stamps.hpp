// SPDX-License-Identifier: Apache-2.0
// Reads the SMs' clocks at two points of a stream: what the device really ran at between them, without asking
// a driver.
#pragma once

#include <cstdint>

#include "src/device/buffer.hpp"
#include "src/device/clock_rate.hpp"
#include "src/device/stream.hpp"

namespace bench::device {

/// The smallest step of %globaltimer that was seen in 64 changes, in ns. Waits for `stream`.
std::uint64_t global_timer_step_ns(const Stream& stream);

/// A pair of points. Between begin() and mhz() the stream must pass both; begin() needs the last pair to be
/// done.
///
/// Limits: one block per SM is launched and notes where it landed, so an SM may be missed (another has two
/// blocks) and drops out; below 100 steps of %globaltimer there is no rate (clock_rate.hpp). The kernel takes
/// a few microseconds, outside of what the events around the work see.
class ClockStamps {
 public:
  /// Loads the kernel and measures the step of %globaltimer, once.
  explicit ClockStamps(const Stream& stream);

  void begin();
  void end();
  /// NaN: not known. Call it after the stream was waited for.
  double mhz() const;

 private:
  void stamp(std::int64_t first_slot);
  const Stream& stream_;
  int blocks_;
  std::uint64_t step_ns_;
  Mapped<Stamp> stamps_;  // [begin, end][slot of an SM]
};

}  // namespace bench::device
