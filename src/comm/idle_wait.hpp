// SPDX-License-Identifier: Apache-2.0
// How a rank waits for something that is not being measured: polls eagerly for a moment, then sleeps a
// fiftieth of what it has slept so far, up to 5 ms, so that it never comes much later than it could. A poll
// through MPI takes some 10 us: a rank that has slept for a quarter of a second costs 0.2 % of a core and
// disturbs no measurement beside it; MPI's own blocking calls spin on a whole one.
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

namespace bench::comm {

class IdleWait {
 public:
  /// Call once per failed poll.
  void pause() {
    if (++polls_ <= kEagerPolls) return;
    const std::chrono::microseconds nap = std::clamp(slept_ / 50, kShortestNap, kLongestNap);
    std::this_thread::sleep_for(nap);
    slept_ += nap;
  }

 private:
  // About 10 us of polling: peers that are in step meet without a sleep, whose wake-up alone costs 50 us and
  // more.
  static constexpr int kEagerPolls = 50;
  static constexpr std::chrono::microseconds kShortestNap{20}, kLongestNap{5000};
  int polls_ = 0;
  std::chrono::microseconds slept_{0};
};

}  // namespace bench::comm
