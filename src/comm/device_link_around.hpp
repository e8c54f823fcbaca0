// SPDX-License-Identifier: Apache-2.0
// A DeviceLink around another one: what is not about messages is the other's. For links that change what becomes of these.
#pragma once

#include <memory>
#include <string>

#include "src/core/link.hpp"

namespace bench::comm {

class DeviceLinkAround : public DeviceLink {
 public:
  /// `inner` must outlive this.
  explicit DeviceLinkAround(DeviceLink& inner) : inner_(inner) {}
  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  void progress() override { inner_.progress(); }
  void follow(void* stream) override { inner_.follow(stream); }
  void watch() override { inner_.watch(); }
  void give_up(const std::string& reason) override { inner_.give_up(reason); }
  std::unique_ptr<MessageMemory> message_memory(std::int64_t bytes) override { return inner_.message_memory(bytes); }
  bool functional_only() const override { return inner_.functional_only(); }
  int version() const override { return inner_.version(); }

 protected:
  DeviceLink& inner_;
};

}  // namespace bench::comm
