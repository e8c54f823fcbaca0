// SPDX-License-Identifier: Apache-2.0
// How a rank waits for something that is not being measured: polls eagerly for a moment, then sleeps longer
// and longer, up to 1 ms. A sleeping rank costs under 2 % of a core, so it disturbs no measurement beside it;
// MPI's own blocking calls spin on a whole one.
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
    std::this_thread::sleep_for(nap_);
    nap_ = std::min(2 * nap_, kLongestNap);
  }

 private:
  // About 10 us of polling: peers that are in step meet without a sleep, whose wake-up alone costs 50 us and
  // more.
  static constexpr int kEagerPolls = 50;
  static constexpr std::chrono::microseconds kLongestNap{1000};
  int polls_ = 0;
  std::chrono::microseconds nap_{20};
};

}  // namespace bench::comm
