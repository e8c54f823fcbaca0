// SPDX-License-Identifier: Apache-2.0
// Device memory that NCCL moves best. With memory of its own kind (ncclMemAlloc) that is registered with the
// communicator, ranks of one node read and write each other's buffers, where it else copies through its own:
// sends and receives since 2.23. Either all ranks of a communicator register or none does (docs of
// ncclCommRegister), so it is tried once, when the link is set up, and agreed on.
#include <string>

#include "src/comm/link_wait.hpp"
#include "src/comm/nccl_parts.hpp"
#include "src/core/out_of_memory.hpp"

namespace bench::comm {
namespace {

constexpr int kVersionOfRegistering = 22300;  // of sends and receives inside a node
constexpr double kPatience_s = 10.0;          // registering is local: it has nobody to wait for
constexpr std::size_t kTrial_bytes = 4096;

/// A call on a nonblocking communicator, to its end.
void settle(ncclResult_t code, const char* call, ncclComm_t comm) {
  check_nccl(code, call, comm);
  const LinkWait patience(kPatience_s);
  for (ncclResult_t state = code; state == ncclInProgress;) {
    check_nccl(NcclLibrary::get().async_error(comm, &state), "ncclCommGetAsyncError", comm);
    check_nccl(state, call, comm);
    if (state == ncclInProgress && patience.expired()) patience.give_up(call);
  }
}

class Registered final : public MessageMemory {
 public:
  Registered(ncclComm_t comm, std::size_t bytes, const Link* link) : comm_(comm), link_(link) {
    const NcclLibrary& nccl = NcclLibrary::get();
    const ncclResult_t code = nccl.mem_alloc(&data_, bytes);
    if (code != ncclSuccess) cudaGetLastError();  // what it met is not the next call's error
    if (code != ncclSuccess) throw OutOfMemory(concat("NCCL: ncclMemAlloc of ", bytes, " bytes: ", nccl.error_string(code)));
    try {
      settle(nccl.register_memory(comm, data_, bytes, &handle_), "ncclCommRegister", comm);
    } catch (...) {
      nccl.mem_free(data_);
      throw;
    }
  }
  ~Registered() override {
    const NcclLibrary& nccl = NcclLibrary::get();
    if (link_ != nullptr && link_->memory_in_doubt()) return;
    if (link_ == nullptr || !link_->broken()) nccl.deregister_memory(comm_, handle_);
    nccl.mem_free(data_);
  }
  Registered(const Registered&) = delete;
  Registered& operator=(const Registered&) = delete;
  std::byte* data() const override { return static_cast<std::byte*>(data_); }

 private:
  ncclComm_t comm_;
  const Link* link_;
  void *data_ = nullptr, *handle_ = nullptr;
};

class Plain final : public MessageMemory {
 public:
  Plain(std::size_t bytes, const Link& link) : link_(link) {
    const cudaError_t code = cudaMalloc(&data_, bytes);
    if (code != cudaSuccess) cudaGetLastError();
    if (code == cudaErrorMemoryAllocation) throw OutOfMemory(concat("the device's memory ran out: ", bytes, " bytes for messages"));
    check_cuda(code, "cudaMalloc");
  }
  ~Plain() override {
    if (!link_.memory_in_doubt()) cudaFree(data_);
  }
  Plain(const Plain&) = delete;
  Plain& operator=(const Plain&) = delete;
  std::byte* data() const override { return static_cast<std::byte*>(data_); }

 private:
  const Link& link_;
  void* data_ = nullptr;
};

}  // namespace

std::unique_ptr<MessageMemory> memory_for(const NcclSetup& setup, std::int64_t bytes, const Link& link) {
  const auto size = static_cast<std::size_t>(bytes > 0 ? bytes : 1);
  if (setup.registers) return std::make_unique<Registered>(setup.comm, size, &link);
  return std::make_unique<Plain>(size, link);
}

std::string try_to_register(const NcclSetup& setup) {
  const NcclLibrary& nccl = NcclLibrary::get();
  if (setup.functional_only) return "ranks that share a GPU talk over sockets";
  const bool known = nccl.mem_alloc != nullptr && nccl.mem_free != nullptr && nccl.register_memory != nullptr && nccl.deregister_memory != nullptr;
  if (setup.version < kVersionOfRegistering || !known) return concat("NCCL ", setup.version, " does not move registered memory between ranks of a node");
  try {
    Registered(setup.comm, kTrial_bytes, nullptr);
    return {};
  } catch (const std::exception& error) {
    return error.what();
  }
}

}  // namespace bench::comm
