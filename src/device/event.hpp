// SPDX-License-Identifier: Apache-2.0
// A CUDA event that is owned: a mark in a stream that the device stamps with its time as it passes.
#pragma once

#include <memory>

#include "src/device/stream.hpp"

struct CUevent_st;  // CUDA's own name: cudaEvent_t is a pointer to it

namespace bench::device {

/// Move-only. A moved-from event owns nothing and must not be used.
class Event {
 public:
  /// On the current device, with timing. Error(unavailable) without a device.
  Event();

  CUevent_st* get() const { return handle_.get(); }
  /// Puts the mark behind what is on `stream` now.
  void record(const Stream& stream);
  /// Returns once the device has passed the mark.
  void wait() const;

 private:
  struct Destroy {
    void operator()(CUevent_st* event) const noexcept;
  };
  std::unique_ptr<CUevent_st, Destroy> handle_;
};

/// Seconds on the device from `begin` to `end`; both passed, in one stream. CUDA documents a resolution of
/// about 0.5 us and gives a float of milliseconds: 24 bits, so 0.06 us at a second.
double seconds_between(const Event& begin, const Event& end);

}  // namespace bench::device
