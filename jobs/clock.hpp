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

}  // namespace bench::jobs
