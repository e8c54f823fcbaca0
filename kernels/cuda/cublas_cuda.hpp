// SPDX-License-Identifier: Apache-2.0
// cuBLAS, opened at run time: products of matrices by NVIDIA's own library where it is installed. Neither its header nor the library is needed to build.
#pragma once

#include <memory>
#include <string>

#include "kernels/cuda/gemm.hpp"
#include "src/core/dtype.hpp"
#include "src/device/buffer.hpp"

namespace bench::cuda {

struct CublasLibrary;

/// A handle on the current device with 32 MiB of workspace of its own, so that no call allocates. Move-only.
class Cublas {
 public:
  /// Error(unavailable) with the reason when there is no libcublas; OutOfMemory.
  Cublas();

  /// Queues the product. Accumulation in fp32; fp32 operands are multiplied as such, not as TF32. Not for `share` > 1 (see stacked).
  void multiply(const GemmJob& job, GemmForm form, DType operands, DType result, void* stream);
  /// "13.1.0". Asks no device; Error(unavailable) when there is no libcublas.
  static std::string version();

 private:
  struct Destroy {
    void operator()(void* handle) const noexcept;
  };
  const CublasLibrary& library_;
  std::unique_ptr<void, Destroy> handle_;
  device::DeviceBuffer workspace_;
  void* stream_ = nullptr;  // the one that the handle works on
};

/// Empty when libcublas can be opened; else why not. Asks no device.
std::string why_no_cublas();

}  // namespace bench::cuda
