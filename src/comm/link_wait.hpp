// SPDX-License-Identifier: Apache-2.0
// One wait inside a Link: how long it has lasted, when it has to end, and what is said when it does not end
// in time.
#pragma once

#include <chrono>
#include <string>

#include "src/core/error.hpp"

namespace bench::comm {

/// Seconds on the clock that every Link of this room goes by.
inline double steady_now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class LinkWait {
 public:
  /// `seconds_left` may be infinite (no deadline) or negative (it has passed).
  explicit LinkWait(double seconds_left) : start_s_(steady_now_s()), end_s_(start_s_ + seconds_left) {}

  bool expired() const { return steady_now_s() >= end_s_; }
  double waited_s() const { return steady_now_s() - start_s_; }

  /// `whom` as in "rank 3 (to send 4096 bytes)".
  [[noreturn]] void give_up(const std::string& whom) const {
    throw Error(ErrorKind::timeout,
                concat("link: waited ", waited_s(), " s for ", whom, "; the deadline has passed"));
  }

 private:
  double start_s_, end_s_;
};

/// Polls `done` until it says so; what `whom` says is missing is named when the deadline passes. Spins, as
/// MPI's own waits do. A poll costs 50 ns or more, a look at the clock about as much.
template <class Done, class Whom>
void poll_until(double seconds_left, Done&& done, Whom&& whom) {
  constexpr int kPollsPerLook = 16;
  const LinkWait patience(seconds_left);
  for (;;) {
    for (int poll = 0; poll < kPollsPerLook; ++poll) {
      if (done()) return;
    }
    if (patience.expired()) patience.give_up(whom());
  }
}

inline std::string rank_to_send(int rank, std::size_t bytes) {
  return concat("rank ", rank, " to send ", bytes, " bytes");
}
inline std::string rank_to_take(int rank, std::size_t bytes) {
  return concat("rank ", rank, " to take ", bytes, " bytes");
}
/// "ranks 1, 3" of those for which `missing(rank)` holds.
template <class Missing>
std::string ranks_where(int size, Missing&& missing) {
  std::string text;
  int found = 0;
  for (int r = 0; r < size; ++r) {
    if (!missing(r)) continue;
    text += concat(found == 0 ? "" : ", ", r);
    ++found;
  }
  return (found == 1 ? "rank " : "ranks ") + text;
}

}  // namespace bench::comm
