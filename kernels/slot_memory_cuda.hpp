// SPDX-License-Identifier: Apache-2.0
// Where the slots of a kernel lie that sends from device to device.
#pragma once

#include <memory>

#include "src/core/link.hpp"
#include "src/device/buffer.hpp"

namespace bench {

/// So many bytes of the current device's memory, 256-byte aligned: the link's, as its transport moves it best; or, for one rank, which has no link, the device's
/// own. It goes before its link does. Names no CUDA type.
class SlotMemory {
 public:
  SlotMemory(DeviceLink* link, std::int64_t bytes) : messages_(link != nullptr ? link->message_memory(bytes) : nullptr), alone_(link == nullptr ? bytes : 0) {}

  std::byte* data() const { return messages_ ? messages_->data() : alone_.data(); }

 private:
  std::unique_ptr<MessageMemory> messages_;
  device::DeviceBuffer alone_;
};

}  // namespace bench
