// SPDX-License-Identifier: Apache-2.0
#include "jobs/device_gemm_cuda.hpp"

#include <memory>

#include "kernels/cuda/gemm_rate_cuda.hpp"
#include "src/core/out_of_memory.hpp"

namespace bench::jobs {
namespace {

// Large enough that filling and emptying the multiprocessors is a per cent; three bf16 matrices of the first take 0.4 GB.
constexpr std::int64_t kLargest = 8192, kSmallest = 1024;

}  // namespace

DeviceProduct device_product(DType dtype) {
  for (std::int64_t n = kLargest;; n /= 2) {
    try {
      const auto rate = std::make_shared<cuda::GemmRate>(dtype, n);
      return {[rate](void* stream) { rate->enqueue(stream); }, rate->flops(), concat(rate->by(), ", n = ", n)};
    } catch (const OutOfMemory&) {
      if (n == kSmallest) throw;
    }
  }
}

}  // namespace bench::jobs
