// SPDX-License-Identifier: Apache-2.0
// How one sample is timed on one rank: by the host's clock around the calls, or by a device's events around work that was queued before the
// common start.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>

#include "jobs/clock.hpp"
#include "kernels/kernel.hpp"
#include "src/core/registry.hpp"

namespace bench::jobs {

/// What one rank measured in one sample.
struct Timed {
  double begin_s = 0.0;  // on this rank's host clock
  double call_s = 0.0;   // mean over the calls
  double clock_mhz = std::numeric_limits<double>::quiet_NaN();  // of the device during the sample; NaN: unavailable
  std::int64_t flags = 0;  // bits of analysis::SampleFlag
  double enqueue_s = std::numeric_limits<double>::quiet_NaN();  // host time to queue one call on a device; NaN: there is none
};

/// A device's memory. All 0: there is no device.
struct DeviceMemory {
  std::int64_t peak_bytes = 0;                   // high-water of what this program allocated, since forget_peak()
  std::int64_t free_bytes = 0, total_bytes = 0;  // of all processes
};

/// A call that was captured, to be queued as one.
class Replay {
 public:
  virtual ~Replay() = default;
  virtual void launch() = 0;
  /// Operations in it.
  virtual std::int64_t nodes() const = 0;
};

class Timer {
 public:
  virtual ~Timer() = default;
  /// Waits in `gate` for the common start (true: this rank was late), then times `calls` calls of `run`. A device's timer queues the calls
  /// behind a closed valve first, and opens it after the gate, so that the cost of queueing is not in the sample.
  virtual Timed time(std::int64_t calls, const std::function<void()>& run, const std::function<bool()>& gate) = 0;
  /// Makes the caches forget `data`; untimed. Says how, for the record.
  virtual std::string_view evict(std::span<const std::span<const std::byte>> data) = 0;
  /// What an empty sample measures, in seconds: below 20 times that a time is floor_limited.
  virtual double floor_s() const = 0;
  /// How long a hot sample has to be, in seconds, for the timer's own part not to matter: calls are added up until it is.
  virtual double shortest_sample_s() const = 0;
  /// The most calls one sample may have; more would not fit a device's queue. The host has no such limit.
  virtual std::int64_t most_calls() const { return std::numeric_limits<std::int64_t>::max(); }
  /// Where `run` has to put its work to be seen by time(): a device's stream (Context::stream). Null: run works on the host.
  virtual void* stream() { return nullptr; }
  /// What every process of this host calls the device (its bus address); empty: the host itself.
  virtual std::string device() const { return {}; }
  /// Returns once all that was put on stream() has ended, and throws what went wrong there. Nothing on the host.
  virtual void wait() {}
  /// From now on whoever waits here for the device looks after `link`, too: work on stream() may wait for other ranks, and what they do not send ends by
  /// an exception of link->watch(). Null: nobody else is waited for. Nothing on the host.
  virtual void watch(DeviceLink* link) { static_cast<void>(link); }
  virtual DeviceMemory memory() const { return {}; }
  virtual void forget_peak() {}
  /// Records what `run` puts on stream() instead of running it (a CUDA graph). `run` has been called before, so that nothing of it is left to load.
  /// Error(unavailable) in words when its call cannot be recorded, or puts nothing there; the stream is as it was. Never on the host.
  virtual std::unique_ptr<Replay> capture(const std::function<void()>& run);
  /// Leaves a device whose clock fell alone for `seconds`, so that it recovers. Nothing on the host, whose samples tell of no clock.
  virtual void rest(double seconds) { static_cast<void>(seconds); }
};

/// Makes the timer of a backend; `cache_bytes` of the host's last level, `local_rank` of this process among those of its node: ranks take the
/// node's devices in turn.
struct TimerMaker {
  std::string name;  // to_text(Backend)
  std::unique_ptr<Timer> (*make)(const Clock& clock, std::int64_t cache_bytes, int local_rank) = nullptr;
  /// Why this process can use the backend's device no more; empty when it can. Waits for the device, and clears errors that leave it usable.
  std::string (*lost)() = nullptr;
};

/// The timer of `backend`: its own, if one is registered, else the host's. Error(unavailable) for a device backend without one.
std::unique_ptr<Timer> make_timer(Backend backend, const Clock& clock, std::int64_t cache_bytes, int local_rank = 0);
/// TimerMaker::lost of the backend; empty for the host and where there is no such timer.
std::string device_lost(Backend backend);
/// The same of a device that has a link (or null): one that may be at work for a link that was taken down must not be waited for.
std::string why_lost(Backend backend, const DeviceLink* link);

}  // namespace bench::jobs

template <>
bench::Registry<bench::jobs::TimerMaker>& bench::Registry<bench::jobs::TimerMaker>::instance();
