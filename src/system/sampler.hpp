// SPDX-License-Identifier: Apache-2.0
// A thread that takes readings while something else is measured. Off until start(): a benchmark disturbs
// itself only when asked to, and can say how much (cpu_time_s).
#pragma once

#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "src/system/telemetry.hpp"

namespace bench::system {

struct TimedReading {
  double time_s = 0.0;  // of the monotonic clock (std::chrono::steady_clock), so samples can be matched
  Reading reading;
};

class Sampler {
 public:
  static constexpr double kPeriod_s = 0.05;

  /// `read` is called by the sampler's thread alone, between start() and stop(), every `period_s` > 0
  /// seconds; e.g. [&] { return telemetry.read(); }. Error(internal) for a period that is not positive.
  explicit Sampler(std::function<Reading()> read, double period_s = kPeriod_s);
  /// Stops; an error of `read` that nobody asked for is dropped.
  ~Sampler();
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  /// Starts the thread, with a first reading at once. It may run on any core: the binding that threads
  /// inherit would put it on the very cores that are measured. Error(internal) when it runs already.
  void start();
  /// Ends the thread without waiting for the period's end and returns what it read since start(), in order
  /// of time; nothing when it was not running. Rethrows what `read` threw.
  std::vector<TimedReading> stop();
  bool running() const { return thread_.joinable(); }
  /// CPU time that the last thread that was stopped took, in seconds.
  double cpu_time_s() const { return cpu_time_s_; }

 private:
  void loop();
  bool wait_until(std::chrono::steady_clock::time_point due);

  std::function<Reading()> read_;
  std::chrono::steady_clock::duration period_;
  std::vector<TimedReading> readings_;
  std::exception_ptr failure_;
  double cpu_time_s_ = 0.0;
  std::mutex mutex_;  // of stopping_ alone: the rest is the thread's own until it is joined
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace bench::system
