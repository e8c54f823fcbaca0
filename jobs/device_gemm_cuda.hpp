// SPDX-License-Identifier: Apache-2.0
// The matrix product that a device's arithmetic rate is read from.
#pragma once

#include <functional>
#include <string>

#include "src/core/dtype.hpp"

namespace bench::jobs {

struct DeviceProduct {
  std::function<void(void* stream)> enqueue;  // one product onto a cudaStream_t
  double flops = 0.0;
  std::string by;  // what multiplies
};

/// Of square matrices, on the current device: as large as its memory takes, 8192 at most. bf16, fp16 or fp32. OutOfMemory when not even small ones fit.
DeviceProduct device_product(DType dtype);

}  // namespace bench::jobs
