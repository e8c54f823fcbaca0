// SPDX-License-Identifier: Apache-2.0
// Holds a stream until the host lets it go, so that all the work of a sample is queued before any of it runs
// and the cost of queueing is in no time. The idea of the blocking kernel is nvbench's.
#pragma once

#include <cstdint>

#include "src/device/buffer.hpp"
#include "src/device/stream.hpp"

namespace bench::device {

/// What a valve of its own accord holds at most: far above what queueing takes, far below what a user takes
/// for a hang.
inline constexpr double kValveLimit_s = 2.0;

class Valve {
 public:
  /// Of `stream`, which must outlive it. Loads the kernel, so that closing never does: loading may wait for
  /// the device.
  explicit Valve(const Stream& stream, double limit_s = kValveLimit_s);
  /// Opens, and waits for the stream: a kernel may still look at the memory that goes.
  ~Valve();
  Valve(const Valve&) = delete;
  Valve& operator=(const Valve&) = delete;

  /// Puts one spinning thread on the stream; what is put behind it waits. Whatever waits for the stream now
  /// waits for open(), or for the limit, of device time: a call that synchronises, and a launch beyond the
  /// depth of the queue (queue_depth.hpp).
  void close();
  /// Lets the stream go, at once; nothing when it is open.
  void open() noexcept;
  /// Whether the last close() ended by its limit. Known once the stream has passed it.
  bool timed_out() const noexcept;

 private:
  // Closings are numbered, and the host says up to which one it has opened: a flag that is set and reset
  // could be reset before the device saw it.
  struct State {
    std::uint32_t opened = 0;   // the host writes
    std::uint32_t expired = 0;  // the device writes
  };
  const Stream& stream_;
  std::uint64_t limit_ns_;
  std::uint32_t closings_ = 0;
  Mapped<State> state_;
};

}  // namespace bench::device
