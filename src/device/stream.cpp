// SPDX-License-Identifier: Apache-2.0
#include "src/device/stream.hpp"

#include <cuda_runtime_api.h>

#include "src/device/check.hpp"

namespace bench::device {

Stream::Stream() {
  cudaStream_t made = nullptr;
  BS_CUDA(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking));
  handle_.reset(made);
}

void Stream::wait() const {
  BS_CUDA(cudaStreamSynchronize(get()));
}

void Stream::wait_noexcept() const noexcept {
  BS_CUDA_NOEXCEPT(cudaStreamSynchronize(get()));
}

bool Stream::idle() const {
  const cudaError_t state = cudaStreamQuery(get());
  if (state == cudaErrorNotReady) {
    static_cast<void>(cudaGetLastError());  // an answer: to the next check it must not look like an error
    return false;
  }
  BS_CUDA(state);
  return true;
}

void Stream::Destroy::operator()(CUstream_st* stream) const noexcept {
  BS_CUDA_NOEXCEPT(cudaStreamDestroy(stream));
}

}  // namespace bench::device
