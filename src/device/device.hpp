// SPDX-License-Identifier: Apache-2.0
// Which CUDA devices this process sees, and what they are. Asking costs a context on no device.
#pragma once

#include <cstdint>
#include <string>

namespace bench::device {

/// The answer to "is there a device?": a count, or why there is none.
struct Devices {
  int count = 0;
  std::string reason;  // in words, with CUDA's name for it, when count is 0; empty else
};

/// Never throws: a machine without a GPU, or without its driver, has no device.
Devices probe();

/// "13.0". `driver`: the newest CUDA that the installed driver knows; empty without one. `runtime`: what this program was built with.
struct Versions {
  std::string driver, runtime;
};
Versions versions();

struct Properties {
  std::string name;
  std::string pci_bus_id;  // "0000:3b:00.0": what NVML and nvidia-smi call it, whatever CUDA_VISIBLE_DEVICES
                           // renumbers
  int major = 0, minor = 0;  // compute capability
  std::int64_t sm_count = 0;
  std::int64_t l2_bytes = 0;
  std::int64_t memory_bytes = 0;
  // The peak clocks; not what it runs at. NaN: the driver does not say.
  double sm_clock_mhz = 0.0, memory_clock_mhz = 0.0;
  bool ecc = false;  // of the memory, switched on
};

/// Of device `index` < probe().count. Error(internal) with CUDA's words if it cannot be asked.
Properties properties(int index);

/// The device this thread's new streams, events and buffers belong to.
int current();
/// Makes `index` the current one. Call it before anything of this room is made.
void select(int index);

}  // namespace bench::device
