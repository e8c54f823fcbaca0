// SPDX-License-Identifier: Apache-2.0
#include "src/device/check.hpp"

#include <cuda_runtime_api.h>

#include "src/core/error.hpp"
#include "src/core/out_of_memory.hpp"
#include "src/device/architectures.hpp"
#include "src/device/buffer.hpp"
#include "src/device/error_kinds.hpp"

namespace bench::device {
namespace {

/// "; 1024 of 4096 bytes are free": as far as the driver says.
std::string what_is_free() {
  const FreeMemory memory = free_memory();
  return memory.total_bytes == 0 ? std::string() : concat("; ", memory.free_bytes, " of ", memory.total_bytes, " bytes are free");
}

}  // namespace

void check(int code, const char* expression, const char* file, int line) {
  if (code == cudaSuccess) return;
  const auto error = static_cast<cudaError_t>(code);
  static_cast<void>(cudaGetLastError());
  if (error == cudaErrorMemoryAllocation)
    throw OutOfMemory(concat("the device's memory ran out in ", expression, what_is_free()));
  std::string words = concat(cudaGetErrorName(error), ": ", cudaGetErrorString(error));
  if (is_missing_code(code)) words += concat("; this build has code for ", built_for_text());
  const bool absent = is_absence(code) || is_missing_code(code);
  throw Error(absent ? ErrorKind::unavailable : ErrorKind::internal, words, expression, file, line);
}

void out_of_memory(std::int64_t bytes) {
  throw OutOfMemory(concat("the device's memory ran out: ", bytes, " bytes were asked for", what_is_free()));
}

bool forgive(int code) noexcept {
  if (code == cudaSuccess) return true;
  static_cast<void>(cudaGetLastError());
  return false;
}

}  // namespace bench::device
