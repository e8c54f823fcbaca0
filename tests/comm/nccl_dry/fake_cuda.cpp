// SPDX-License-Identifier: Apache-2.0
// The CUDA run-time calls of the NCCL link, for no GPU: device memory is memory, work is done when it is
// queued. In the environment: FAKE_CUDA_STUCK, no event ever passes; FAKE_CUDA_BUSY, no stream ever empties.
#include <cuda_runtime_api.h>

#include <cstdlib>
#include <cstring>

namespace {

int polls_to_come = 0;
template <class Handle>
void make(Handle* handle) {
  *handle = static_cast<Handle>(std::malloc(1));
}

}  // namespace

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int) {
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  std::memset(properties->uuid.bytes, 0xab, sizeof properties->uuid.bytes);
  return cudaSuccess;
}
const char* cudaGetErrorString(cudaError_t) {
  return "a fake error";
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  make(event);
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  std::free(event);
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) {
  polls_to_come = 3;
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) {
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t) {
  if (polls_to_come > 0) --polls_to_come;
  return polls_to_come > 0 || std::getenv("FAKE_CUDA_STUCK") != nullptr ? cudaErrorNotReady : cudaSuccess;
}
cudaError_t cudaStreamQuery(cudaStream_t) {
  return std::getenv("FAKE_CUDA_BUSY") != nullptr ? cudaErrorNotReady : cudaSuccess;
}
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  *least = 0;
  *greatest = -5;
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned, int) {
  make(stream);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  std::free(stream);
  return cudaSuccess;
}
cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  *memory = std::malloc(bytes);
  return cudaSuccess;
}
cudaError_t cudaFree(void* memory) {
  std::free(memory);
  return cudaSuccess;
}

}  // extern "C"
