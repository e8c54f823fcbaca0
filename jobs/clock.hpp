// SPDX-License-Identifier: Apache-2.0
// The clock as a value, so that a test can hand in its own.
#pragma once

#include <chrono>
#include <functional>

namespace bench::jobs {

/// Seconds since an arbitrary start, never going back.
using Clock = std::function<double()>;

inline Clock steady_clock() {
  return [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); };
}

/// The clock that a run measures with; a test's program may put another one there before main.
inline Clock& run_clock() {
  static Clock clock = steady_clock();
  return clock;
}

}  // namespace bench::jobs
