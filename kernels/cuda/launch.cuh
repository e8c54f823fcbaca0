// SPDX-License-Identifier: Apache-2.0
// What a kernel's file does once before its launches.
#pragma once

#include <cuda_runtime.h>

#include "src/core/error.hpp"
#include "src/device/check.hpp"
#include "src/device/device.hpp"

namespace bench::cuda {

/// Lets a kernel have so much dynamic shared memory; unavailable on a device that has less, as those outside of data centres do.
template <class Function>
void take_shared_memory(Function* kernel, int bytes) {
  int most = 0;
  BS_CUDA(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device::current()));
  if (bytes > most) throw Error(ErrorKind::unavailable, concat("needs ", bytes, " bytes of shared memory a block; this device has ", most));
  BS_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
}

}  // namespace bench::cuda
