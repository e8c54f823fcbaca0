// SPDX-License-Identifier: Apache-2.0
// The product that a device's arithmetic rate is read from: C = A B^T of n x n matrices, by cuBLAS where it can be opened and by this project's own
// kernel elsewhere. Whoever measures brings stream and clock. n of 8192 and more; operands of zeros would make it some tenth faster, so these are random.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "kernels/cuda/cublas_cuda.hpp"
#include "src/core/dtype.hpp"
#include "src/device/buffer.hpp"

namespace bench::cuda {

class GemmRate {
 public:
  /// On the current device. bf16, fp16 (tensor cores, fp32 sums) and fp32 (as such, no TF32); n a multiple of 8. OutOfMemory when its memory does not suffice.
  GemmRate(DType dtype, std::int64_t n);

  /// Queues one product on a cudaStream_t. Nothing of it allocates or waits.
  void enqueue(void* stream);
  /// Of one product.
  double flops() const;
  /// What multiplies: "cuBLAS 13.1.0", or "own kernel (why not cuBLAS)".
  const std::string& by() const { return by_; }

 private:
  DType dtype_;
  std::int64_t n_;
  device::DeviceBuffer a_, b_, c_;
  std::unique_ptr<Cublas> cublas_;  // null: the own kernel
  std::string by_;
  GemmJob job_{};
};

}  // namespace bench::cuda
