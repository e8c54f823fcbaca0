// SPDX-License-Identifier: Apache-2.0
// Memory that is owned: the device's own, and the host's that both sides see. Bytes, and typed views of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace bench::device {

namespace raw {
struct FreeDevice {
  std::int64_t bytes = 0;  // taken back from what is allocated
  void operator()(std::byte* data) const noexcept;
};
struct FreeHost {
  void operator()(std::byte* data) const noexcept;
};
}  // namespace raw

/// Device memory, 256-byte aligned, not initialised. Move-only.
class DeviceBuffer {
 public:
  /// Owns nothing and asks no device.
  DeviceBuffer() = default;
  /// On the current device; 0 bytes ask no device either. OutOfMemory with `bytes` when its memory does
  /// not suffice, Error(unavailable) without a device.
  explicit DeviceBuffer(std::int64_t bytes);

  std::byte* data() const { return data_.get(); }
  std::int64_t bytes() const { return data_ ? data_.get_deleter().bytes : 0; }

 private:
  std::unique_ptr<std::byte, raw::FreeDevice> data_;
};

/// What the DeviceBuffers of this process hold, on all its devices; and the most since forget_peak().
std::int64_t allocated_bytes();
std::int64_t peak_allocated_bytes();
void forget_peak();

struct FreeMemory {
  std::int64_t free_bytes = 0, total_bytes = 0;
};
/// Of the current device, all processes together. Zeros where it cannot be asked.
FreeMemory free_memory();

/// Page-locked host memory that is mapped into the device's addresses, zero at first: what one side stores
/// the other one sees, over the bus. For flags and a few results, not for data. Move-only.
class MappedBytes {
 public:
  MappedBytes() = default;
  explicit MappedBytes(std::int64_t bytes);

  std::byte* host() const { return host_.get(); }
  std::byte* device() const { return host_ ? device_ : nullptr; }

 private:
  std::unique_ptr<std::byte, raw::FreeHost> host_;
  std::byte* device_ = nullptr;
};

/// `count` values of T in mapped memory.
template <class T>
class Mapped {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  Mapped() = default;
  explicit Mapped(std::int64_t count) : bytes_(count * static_cast<std::int64_t>(sizeof(T))) {}

  T* host() const { return reinterpret_cast<T*>(bytes_.host()); }
  T* device() const { return reinterpret_cast<T*>(bytes_.device()); }

 private:
  MappedBytes bytes_;
};

}  // namespace bench::device
