// SPDX-License-Identifier: Apache-2.0
// Ends the process when something takes too long: the last resort against a kernel that never returns, or an MPI that never answers.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace bench::jobs {

class Watchdog {
 public:
  /// `bite` runs on the watchdog's thread when an armed time has passed; it is expected not to return.
  explicit Watchdog(std::function<void()> bite) : bite_(std::move(bite)), thread_([this] { watch(); }) {}
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  void arm(double seconds);
  void disarm();

 private:
  using Clock = std::chrono::steady_clock;
  void watch();

  std::function<void()> bite_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Clock::time_point until_ = Clock::time_point::max();
  bool leave_ = false;
  std::thread thread_;
};

/// Armed while it lives.
class Armed {
 public:
  Armed(Watchdog& dog, double seconds) : dog_(dog) { dog_.arm(seconds); }
  ~Armed() { dog_.disarm(); }
  Armed(const Armed&) = delete;
  Armed& operator=(const Armed&) = delete;

 private:
  Watchdog& dog_;
};

}  // namespace bench::jobs
