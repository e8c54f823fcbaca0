// SPDX-License-Identifier: Apache-2.0
// Makes the device's L2 cache forget, so that a kernel starts from memory.
#pragma once

#include <cstdint>

#include "src/device/buffer.hpp"
#include "src/device/stream.hpp"

namespace bench::device {

class L2Flush {
 public:
  /// For the current device. Keeps a buffer of twice its L2 for the life of the object; std::bad_alloc when
  /// there is no room for it.
  L2Flush();

  /// Puts on `stream`: rewrite the buffer, then read it. The reading leaves clean lines behind: dirty ones
  /// would be written back while the next kernel is timed. Lines that were set to persist are let go first.
  void flush(const Stream& stream);

 private:
  std::int64_t blocks_ = 0;
  DeviceBuffer buffer_, sink_;
  unsigned pattern_ = 0;
};

}  // namespace bench::device
