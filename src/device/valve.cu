// SPDX-License-Identifier: Apache-2.0
#include "src/device/valve.hpp"

#include <cuda_runtime.h>

#include <atomic>

#include "src/device/check.hpp"
#include "src/device/global_timer.cuh"

namespace bench::device {
namespace {

/// One thread. A volatile access goes to host memory each time, the wanted order comes from the fence and
/// from the end of the kernel. The difference is signed, so that the numbers may wrap.
__global__ void hold(const volatile std::uint32_t* opened, volatile std::uint32_t* expired,
                     std::uint32_t closing, std::uint64_t limit_ns) {
  const std::uint64_t begin = global_ns();
  while (static_cast<std::int32_t>(*opened - closing) < 0) {
    if (global_ns() - begin < limit_ns) continue;
    *expired = closing;
    __threadfence_system();
    return;
  }
}

}  // namespace

Valve::Valve(const Stream& stream, double limit_s)
    : stream_(stream), limit_ns_(static_cast<std::uint64_t>(1e9 * limit_s)), state_(1) {
  cudaFuncAttributes loaded{};
  BS_CUDA(cudaFuncGetAttributes(&loaded, hold));
}

Valve::~Valve() {
  open();
  stream_.wait_noexcept();
}

void Valve::close() {
  State* seen = state_.device();
  hold<<<1, 1, 0, stream_.get()>>>(&seen->opened, &seen->expired, ++closings_, limit_ns_);
  BS_CUDA(cudaGetLastError());
}

void Valve::open() noexcept {
  std::atomic_ref(state_.host()->opened).store(closings_, std::memory_order_release);
}

bool Valve::timed_out() const noexcept {
  return closings_ != 0 &&
         std::atomic_ref(state_.host()->expired).load(std::memory_order_acquire) == closings_;
}

}  // namespace bench::device
