// SPDX-License-Identifier: Apache-2.0
// The CUDA run-time library for no GPU, in the place of the real one: device memory is memory, a launch does
// nothing, an event notes the host's time. So the program's way through a device's troubles can be walked
// anywhere; no time of it means anything. It stands before the real library for the linker, which fills in what is
// missing here. In the environment:
//   FAKE_CUDA_DRIVER   none or old: as without a driver, or with one for CUDA 11.4
//   FAKE_CUDA_NO_CODE  the program has no code for the device
//   FAKE_CUDA_MEMORY   bytes of the device, 1 GiB without it
#include "tests/cli/fake_device/fake_cuda.hpp"

#include <cuda_runtime_api.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string_view>
#include <thread>

namespace {

struct Device {
  std::mutex mutex;
  cudaError_t broken = cudaSuccess, last = cudaSuccess;
  std::map<void*, std::size_t> blocks;
  std::size_t used = 0;
  bool hung = false;
  bool capturing = false, invalid = false;
  std::size_t nodes = 0;  // of the capture
};

Device& device() {
  static Device* const all = new Device;  // outlives whoever frees memory at the end
  return *all;
}

bool said(const char* variable, std::string_view word) {
  const char* text = std::getenv(variable);
  return text != nullptr && text == word;
}
std::size_t memory_bytes() {
  const char* text = std::getenv("FAKE_CUDA_MEMORY");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : std::size_t{1} << 30;
}

cudaError_t note(cudaError_t error) {
  if (error != cudaSuccess) device().last = error;
  return error;
}
cudaError_t driver() {
  return said("FAKE_CUDA_DRIVER", "none") || said("FAKE_CUDA_DRIVER", "old") ? cudaErrorInsufficientDriver : cudaSuccess;
}
/// What every call returns that does not fail by itself.
cudaError_t state() {
  const cudaError_t missing = driver();
  return note(missing != cudaSuccess ? missing : device().broken);
}
cudaError_t code() {
  return std::getenv("FAKE_CUDA_NO_CODE") != nullptr ? note(cudaErrorNoKernelImageForDevice) : state();
}
/// What a capture cannot hold spoils it.
cudaError_t outside_of_captures() {
  if (!device().capturing) return state();
  device().invalid = true;
  return note(cudaErrorStreamCaptureUnsupported);
}
cudaError_t wait() {
  while (device().hung) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return outside_of_captures();
}

template <class Handle>
cudaError_t make(Handle* handle, std::size_t bytes = 1) {
  const cudaError_t error = state();
  if (error == cudaSuccess) *handle = static_cast<Handle>(std::calloc(1, bytes));
  return error;
}
double now_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct ErrorName {
  cudaError_t code;
  const char *name, *words;
};
constexpr ErrorName kNames[]{
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver", "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorECCUncorrectable, "cudaErrorECCUncorrectable", "uncorrectable ECC error encountered"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorNoKernelImageForDevice, "cudaErrorNoKernelImageForDevice", "no kernel image is available for execution on the device"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported", "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated", "operation failed due to a previous error during capture"},
};

}  // namespace

namespace bench::fake_cuda {

void launch() {
  if (device().capturing) ++device().nodes;
}
void break_context(int code) {
  device().broken = static_cast<cudaError_t>(code);
}
void hang() {
  device().hung = true;
}

}  // namespace bench::fake_cuda

extern "C" {

// What nvcc's launches call.
void** __cudaRegisterFatBinary(void*) {
  static void* handle = nullptr;
  return &handle;
}
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}
void __cudaRegisterFunction(void**, const char*, char*, const char*, int, uint3*, uint3*, dim3*, dim3*, int*) {}
char __cudaInitModule(void**) {
  return 0;
}
unsigned __cudaPushCallConfiguration(dim3, dim3, std::size_t, struct CUstream_st*) {
  return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, std::size_t* shared, void* stream) {
  *grid = *block = dim3{1, 1, 1};
  *shared = 0;
  *static_cast<void**>(stream) = nullptr;
  return cudaSuccess;
}
cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void*) {
  *kernel = nullptr;
  return cudaSuccess;
}
cudaError_t __cudaLaunchKernel(cudaKernel_t, dim3, dim3, void**, std::size_t, cudaStream_t) {
  bench::fake_cuda::launch();
  return code();
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return state();
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = said("FAKE_CUDA_DRIVER", "none") ? 0 : said("FAKE_CUDA_DRIVER", "old") ? 11040 : CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int) {
  return state();
}
cudaError_t cudaGetDevice(int* index) {
  *index = 0;
  return state();
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  std::memset(properties, 0, sizeof *properties);
  std::strcpy(properties->name, "pretended device");
  properties->major = 9;
  properties->multiProcessorCount = 4;
  properties->l2CacheSize = 1 << 20;
  properties->totalGlobalMem = memory_bytes();
  return state();
}
cudaError_t cudaDeviceGetPCIBusId(char* text, int, int) {
  std::strcpy(text, "0000:00:00.0");
  return state();
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) {
  *value = 0;
  return state();
}
cudaError_t cudaDeviceSynchronize() {
  return wait();
}
cudaError_t cudaCtxResetPersistingL2Cache() {
  return state();
}
cudaError_t cudaGetLastError() {
  const cudaError_t last = device().broken != cudaSuccess ? device().broken : device().last;
  device().last = cudaSuccess;
  return last;
}
const char* cudaGetErrorName(cudaError_t code) {
  for (const ErrorName& error : kNames)
    if (error.code == code) return error.name;
  return "cudaErrorOfAnotherKind";
}
const char* cudaGetErrorString(cudaError_t code) {
  for (const ErrorName& error : kNames)
    if (error.code == code) return error.words;
  return "no words";
}

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  if (const cudaError_t error = outside_of_captures(); error != cudaSuccess) return error;
  const std::lock_guard lock(device().mutex);
  if (device().used + bytes > memory_bytes()) return note(cudaErrorMemoryAllocation);
  *memory = std::malloc(bytes);
  device().blocks[*memory] = bytes;
  device().used += bytes;
  return cudaSuccess;
}
cudaError_t cudaFree(void* memory) {
  const std::lock_guard lock(device().mutex);
  if (const auto block = device().blocks.find(memory); block != device().blocks.end()) {
    device().used -= block->second;
    device().blocks.erase(block);
    std::free(memory);
  }
  return state();
}
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  *total = memory_bytes();
  *free = *total - device().used;
  return state();
}
cudaError_t cudaHostAlloc(void** memory, std::size_t bytes, unsigned) {
  return make(memory, bytes);
}
cudaError_t cudaHostGetDevicePointer(void** seen, void* memory, unsigned) {
  *seen = memory;
  return state();
}
cudaError_t cudaFreeHost(void* memory) {
  std::free(memory);
  return state();
}
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind) {
  const cudaError_t error = outside_of_captures();
  if (error == cudaSuccess) std::memcpy(to, from, bytes);
  return error;
}
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t) {
  const cudaError_t error = state();
  if (error == cudaSuccess) std::memset(to, value, bytes);
  return error;
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void*) {
  std::memset(attributes, 0, sizeof *attributes);
  return code();
}
cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute, int) {
  return code();
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  return make(stream);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  std::free(stream);
  return state();
}
cudaError_t cudaStreamSynchronize(cudaStream_t) {
  return wait();
}
cudaError_t cudaStreamQuery(cudaStream_t) {
  return outside_of_captures();
}
cudaError_t cudaEventCreate(cudaEvent_t* event) {
  return make(event, sizeof(double));
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  return make(event, sizeof(double));
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  std::free(event);
  return state();
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
  *reinterpret_cast<double*>(event) = now_ms();
  return state();
}
cudaError_t cudaEventSynchronize(cudaEvent_t) {
  return wait();
}
cudaError_t cudaEventElapsedTime(float* spent_ms, cudaEvent_t begin, cudaEvent_t end) {
  *spent_ms = static_cast<float>(*reinterpret_cast<double*>(end) - *reinterpret_cast<double*>(begin));
  return state();
}

cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode) {
  if (device().capturing) return note(cudaErrorIllegalState);
  device().capturing = true;
  device().invalid = false;
  device().nodes = 0;
  return state();
}
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) {
  device().capturing = false;
  *graph = nullptr;
  if (device().invalid) return note(cudaErrorStreamCaptureInvalidated);
  const cudaError_t error = make(graph, sizeof(std::size_t));
  if (error == cudaSuccess) *reinterpret_cast<std::size_t*>(*graph) = device().nodes;
  return error;
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t*, std::size_t* count) {
  *count = *reinterpret_cast<std::size_t*>(graph);
  return state();
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t, unsigned long long) {
  return make(exec);
}
cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) {
  return state();
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t, cudaStream_t) {
  return state();
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  std::free(graph);
  return state();
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  std::free(exec);
  return state();
}

}  // extern "C"
