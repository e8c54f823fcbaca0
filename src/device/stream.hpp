// SPDX-License-Identifier: Apache-2.0
// A CUDA stream that is owned: work put on it runs in order, beside the work of other streams.
#pragma once

#include <memory>

struct CUstream_st;  // CUDA's own name: cudaStream_t is a pointer to it

namespace bench::device {

/// Move-only. A moved-from stream owns nothing and must not be used.
class Stream {
 public:
  /// On the current device, and not held up by the legacy default stream. Error(unavailable) without a device.
  Stream();

  CUstream_st* get() const { return handle_.get(); }
  /// Returns once everything put on it has ended; surfaces errors of that work.
  void wait() const;
  /// The same where nothing may be thrown; errors of that work are forgotten.
  void wait_noexcept() const noexcept;
  /// True when everything put on it has ended.
  bool idle() const;

 private:
  struct Destroy {
    void operator()(CUstream_st* stream) const noexcept;
  };
  std::unique_ptr<CUstream_st, Destroy> handle_;
};

}  // namespace bench::device
