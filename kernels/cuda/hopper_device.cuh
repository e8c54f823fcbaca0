// SPDX-License-Identifier: Apache-2.0
// Whether the current device runs code for sm_90a, which no later one does.
#pragma once

#include "src/core/error.hpp"
#include "src/device/device.hpp"

namespace bench::cuda {

/// The current device, which is a Hopper; else Error(unavailable).
inline device::Properties hopper_device() {
  const device::Properties device = device::properties(device::current());
  if (device.major != 9 || device.minor != 0)
    throw Error(ErrorKind::unavailable, concat("needs compute capability 9.0 (Hopper); ", device.name, " has ", device.major, '.', device.minor));
  return device;
}

}  // namespace bench::cuda
