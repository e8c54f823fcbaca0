// SPDX-License-Identifier: Apache-2.0
// What the files of the NCCL link share: libnccl's functions, checks of both libraries' codes, events. Empty
// where the headers of CUDA and NCCL are not at hand, so that it can be read in every build.
#pragma once

#if __has_include(<cuda_runtime_api.h>) && __has_include(<nccl.h>)

#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <nccl.h>

#include <memory>
#include <type_traits>

#include "src/comm/link_nccl.hpp"
#include "src/core/error.hpp"

namespace bench::comm {

/// The functions of libnccl, found once.
struct NcclLibrary {
  decltype(&ncclGetVersion) get_version;
  decltype(&ncclGetUniqueId) get_unique_id;
  decltype(&ncclCommInitRankConfig) init;
  decltype(&ncclCommGetAsyncError) async_error;
  decltype(&ncclCommFinalize) finalize;
  decltype(&ncclCommDestroy) destroy;
  decltype(&ncclCommAbort) abort;
  decltype(&ncclGetErrorString) error_string;
  decltype(&ncclGetLastError) last_error;
  decltype(&ncclGroupStart) group_start;
  decltype(&ncclGroupEnd) group_end;
  decltype(&ncclSend) send;
  decltype(&ncclRecv) recv;
  decltype(&ncclAllGather) allgather;
  decltype(&ncclAllReduce) allreduce;
  decltype(&ncclReduceScatter) reduce_scatter;
  // Null in versions that have none.
  decltype(&ncclMemAlloc) mem_alloc;
  decltype(&ncclMemFree) mem_free;
  decltype(&ncclCommRegister) register_memory;
  decltype(&ncclCommDeregister) deregister_memory;

  /// Throws Error(unavailable) with the loader's reason.
  static const NcclLibrary& get() {
    static const NcclLibrary library = open();
    return library;
  }

 private:
  static NcclLibrary open() {
    void* handle = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);  // stays open: the process's end closes it
    if (handle == nullptr) throw Error(ErrorKind::unavailable, concat("NCCL: ", dlerror()));
    NcclLibrary found{};
    const auto find = [&](auto& function, const char* name) {
      void* address = dlsym(handle, name);
      if (address == nullptr) throw Error(ErrorKind::unavailable, concat("NCCL: libnccl.so.2 has no ", name));
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(address);
    };
    find(found.get_version, "ncclGetVersion");
    find(found.get_unique_id, "ncclGetUniqueId");
    find(found.init, "ncclCommInitRankConfig");
    find(found.async_error, "ncclCommGetAsyncError");
    find(found.finalize, "ncclCommFinalize");
    find(found.destroy, "ncclCommDestroy");
    find(found.abort, "ncclCommAbort");
    find(found.error_string, "ncclGetErrorString");
    find(found.last_error, "ncclGetLastError");
    find(found.group_start, "ncclGroupStart");
    find(found.group_end, "ncclGroupEnd");
    find(found.send, "ncclSend");
    find(found.recv, "ncclRecv");
    find(found.allgather, "ncclAllGather");
    find(found.allreduce, "ncclAllReduce");
    find(found.reduce_scatter, "ncclReduceScatter");
    const auto look_for = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, name));
    };
    look_for(found.mem_alloc, "ncclMemAlloc");
    look_for(found.mem_free, "ncclMemFree");
    look_for(found.register_memory, "ncclCommRegister");
    look_for(found.deregister_memory, "ncclCommDeregister");
    return found;
  }
};

inline void check_cuda(cudaError_t code, const char* call) {
  if (code != cudaSuccess)
    throw Error(ErrorKind::comm, concat("CUDA: ", call, ": ", cudaGetErrorString(code)));
}

inline void check_nccl(ncclResult_t code, const char* call, ncclComm_t comm = nullptr) {
  if (code == ncclSuccess || code == ncclInProgress) return;
  const NcclLibrary& nccl = NcclLibrary::get();
  const char* detail = nccl.last_error(comm);
  throw Error(ErrorKind::comm, concat("NCCL: ", call, ": ", nccl.error_string(code),
                                      detail != nullptr ? "; " : "", detail != nullptr ? detail : ""));
}

/// A mark on a stream, passed once the work before it is done.
class Event {
 public:
  Event() { check_cuda(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "cudaEventCreate"); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void record(cudaStream_t stream) const { check_cuda(cudaEventRecord(event_, stream), "cudaEventRecord"); }
  void hold_up(cudaStream_t stream) const {
    check_cuda(cudaStreamWaitEvent(stream, event_, 0), "cudaStreamWaitEvent");
  }
  bool passed() const {
    const cudaError_t code = cudaEventQuery(event_);
    if (code == cudaErrorNotReady) {
      cudaGetLastError();  // an answer: to a launch's check it must not look like an error
      return false;
    }
    check_cuda(code, "cudaEventQuery");
    return true;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

/// A communicator that is connected, for the link to own.
struct NcclSetup {
  ncclComm_t comm = nullptr;
  cudaStream_t compute = nullptr;
  int rank = 0, size = 1, version = 0;
  bool functional_only = false;
  bool registers = false;  // every rank can register memory with it
};

std::unique_ptr<LinkNccl> link_over(const NcclSetup& setup);

/// Memory for messages over `setup.comm`; registered where `setup.registers`. `link` tells whether the communicator still lives when it is freed.
std::unique_ptr<MessageMemory> memory_for(const NcclSetup& setup, std::int64_t bytes, const Link& link);
/// Why memory cannot be registered with this communicator; empty when it was tried and worked.
std::string try_to_register(const NcclSetup& setup);
// collectives_nccl.cpp: each puts one collective on the stream; spans are device memory and not empty.
void queue_allgather(const NcclSetup& setup, cudaStream_t stream, std::span<const std::byte> mine,
                     std::span<std::byte> all);
void queue_allreduce(const NcclSetup& setup, cudaStream_t stream, DType dtype,
                     std::span<const std::byte> mine, std::span<std::byte> sum);
void queue_reduce_scatter(const NcclSetup& setup, cudaStream_t stream, DType dtype,
                          std::span<const std::byte> mine, std::span<std::byte> share);
void queue_alltoall(const NcclSetup& setup, cudaStream_t stream, std::span<const std::byte> out,
                    std::span<std::byte> in);

}  // namespace bench::comm

#endif
