// SPDX-License-Identifier: Apache-2.0
#include "src/device/check.hpp"

#include <cuda_runtime_api.h>

#include <new>

#include "src/core/error.hpp"

namespace bench::device {

void check(int code, const char* expression, const char* file, int line) {
  if (code == cudaSuccess) return;
  const auto error = static_cast<cudaError_t>(code);
  static_cast<void>(cudaGetLastError());
  if (error == cudaErrorMemoryAllocation) throw std::bad_alloc();
  throw Error(ErrorKind::internal, concat(cudaGetErrorName(error), ": ", cudaGetErrorString(error)),
              expression, file, line);
}

bool forgive(int code) noexcept {
  if (code == cudaSuccess) return true;
  static_cast<void>(cudaGetLastError());
  return false;
}

}  // namespace bench::device
