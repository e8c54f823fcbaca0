// SPDX-License-Identifier: Apache-2.0
#include "src/device/lost_context.hpp"

#include <cuda_runtime_api.h>

#include "src/core/error.hpp"
#include "src/device/check.hpp"
#include "src/device/error_kinds.hpp"

namespace bench::device {

std::string lost_context() {
  static_cast<void>(cudaGetLastError());
  const cudaError_t state = cudaDeviceSynchronize();
  if (forgive(static_cast<int>(state)) || !breaks_the_context(static_cast<int>(state))) return {};
  return concat("the device's context is lost (", cudaGetErrorName(state), ": ", cudaGetErrorString(state), ')');
}

}  // namespace bench::device
