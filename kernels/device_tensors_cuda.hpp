// SPDX-License-Identifier: Apache-2.0
// A rank's tensors on its device: what a kernel of the cuda backend makes in prepare.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "kernels/kernel.hpp"
#include "src/device/buffer.hpp"

namespace bench {

/// Copies all tensors but those of `elsewhere` to the current device when made, outputs with their poison, and brings `outputs` back in collect. Names
/// no CUDA type.
class DeviceTensors : public Prepared {
 public:
  /// std::bad_alloc when the device's memory does not suffice.
  DeviceTensors(Tensors& tensors, std::vector<std::string> outputs, const std::vector<std::string>& elsewhere = {});

  /// The device's address of a tensor, 256-byte aligned.
  std::byte* data(const std::string& name) const { return buffers_.at(name).data(); }
  void collect(Tensors& tensors) const override;

 private:
  std::map<std::string, device::DeviceBuffer> buffers_;
  std::vector<std::string> outputs_;
};

/// Why a kernel that moves rows of 16-bit elements in whole 16 bytes does not take a head dimension; empty when it does.
std::string needs_whole_chunks(std::int64_t head_dim, std::int64_t most);

/// A device's copy of `count` elements of T.
template <class T>
device::DeviceBuffer to_device(const std::vector<T>& values);
void copy_to_device(std::byte* to, const void* from, std::int64_t bytes);
void copy_from_device(void* to, const std::byte* from, std::int64_t bytes);

template <class T>
device::DeviceBuffer to_device(const std::vector<T>& values) {
  device::DeviceBuffer buffer(static_cast<std::int64_t>(values.size() * sizeof(T)));
  copy_to_device(buffer.data(), values.data(), buffer.bytes());
  return buffer;
}

}  // namespace bench
