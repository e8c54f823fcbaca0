// SPDX-License-Identifier: Apache-2.0
#include "jobs/engine/watchdog.hpp"

namespace bench::jobs {

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    leave_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Watchdog::arm(double seconds) {
  {
    const std::lock_guard lock(mutex_);
    until_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }
  changed_.notify_all();
}

void Watchdog::disarm() {
  const std::lock_guard lock(mutex_);
  until_ = Clock::time_point::max();  // the thread finds out when it wakes: no need to disturb a measurement for it
}

void Watchdog::watch() {
  std::unique_lock lock(mutex_);
  while (!leave_) {
    if (until_ == Clock::time_point::max()) {
      changed_.wait(lock);
    } else if (Clock::now() < until_) {
      changed_.wait_until(lock, until_);
    } else {
      until_ = Clock::time_point::max();
      lock.unlock();
      bite_();
      lock.lock();
    }
  }
}

}  // namespace bench::jobs
