// SPDX-License-Identifier: Apache-2.0
// How many launches a stream takes while it is held. The one after them waits for the device, and behind a
// closed valve that is a wait for its limit.
#pragma once

#include <cstdint>

#include "src/device/stream.hpp"

namespace bench::device {

/// No more launches than these are tried, or ever wanted in one sample.
inline constexpr std::int64_t kMostLaunches = 4096;

/// Launches of an empty kernel behind a closed valve until one has to wait; kMostLaunches if none does. The
/// best of three tries, since a host that was held up looks like a full queue. Waits for `stream`; a full
/// queue costs 0.1 s a try.
std::int64_t probe_queue_depth(const Stream& stream);

}  // namespace bench::device
