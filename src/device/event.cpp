// SPDX-License-Identifier: Apache-2.0
#include "src/device/event.hpp"

#include <cuda_runtime_api.h>

#include "src/device/check.hpp"

namespace bench::device {

Event::Event() {
  cudaEvent_t made = nullptr;
  BS_CUDA(cudaEventCreate(&made));
  handle_.reset(made);
}

void Event::record(const Stream& stream) {
  BS_CUDA(cudaEventRecord(get(), stream.get()));
}

void Event::wait() const {
  BS_CUDA(cudaEventSynchronize(get()));
}

void Event::Destroy::operator()(CUevent_st* event) const noexcept {
  BS_CUDA_NOEXCEPT(cudaEventDestroy(event));
}

double seconds_between(const Event& begin, const Event& end) {
  float spent_ms = 0.0F;
  BS_CUDA(cudaEventElapsedTime(&spent_ms, begin.get(), end.get()));
  return 1e-3 * static_cast<double>(spent_ms);
}

}  // namespace bench::device
