// SPDX-License-Identifier: Apache-2.0
// The CUDA run-time calls of the NCCL link, for no GPU: device memory is memory, work is done when it is
// queued. It writes down what streams are told about events: "mark 0" and "hold c", of the default stream and of
// the first one that was made. In the environment: FAKE_CUDA_STUCK, no event ever passes; FAKE_CUDA_BUSY, no
// stream ever empties.
#include <cuda_runtime_api.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <utility>

namespace {

int polls_to_come = 0;
std::string calls;
std::map<cudaStream_t, char> names;

void note(const char* call, cudaStream_t stream) {
  calls += calls.empty() ? call : std::string(" ") + call;
  calls += stream == nullptr ? '0' : names.contains(stream) ? names[stream] : '?';
}
template <class Handle>
void make(Handle* handle) {
  *handle = static_cast<Handle>(std::malloc(1));
}

}  // namespace

namespace bench::fake_cuda {

/// What streams were told since the last time it was asked.
std::string calls_so_far() {
  return std::exchange(calls, {});
}

}  // namespace bench::fake_cuda

extern "C" {

cudaError_t cudaGetLastError() {
  return cudaSuccess;
}
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
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t stream) {
  note("mark ", stream);
  polls_to_come = 3;
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t, unsigned) {
  note("hold ", stream);
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
  names[*stream] = 'c';
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  names.erase(stream);
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
