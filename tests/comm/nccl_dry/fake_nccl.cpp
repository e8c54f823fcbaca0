// SPDX-License-Identifier: Apache-2.0
// A libnccl.so.2 for one rank and no GPU: sends meet the receives of their group by memcpy. It writes down
// the calls, and stops the program when one comes that real NCCL would not stand: a send outside of a group,
// a call on a communicator that was destroyed. In the environment: FAKE_NCCL_ERROR, every look at the
// communicator finds an error; FAKE_NCCL_UNREGISTERED, memory cannot be registered; FAKE_NCCL_HANGS, an abort
// does not return.
#include <nccl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace {

std::string calls;
bool grouped = false, alive = false;
int polls_to_come = 0;  // a nonblocking call is in progress for so many looks
std::vector<std::pair<const void*, std::size_t>> sends;
std::vector<void*> receives;

std::size_t size_of(ncclDataType_t type) {
  switch (type) {
    case ncclDouble: return 8;
    case ncclFloat: return 4;
    case ncclHalf:
    case ncclBfloat16: return 2;
    default: std::abort();
  }
}

void note(const char* call, bool allowed) {
  calls += calls.empty() ? call : std::string(" ") + call;
  if (!allowed) std::abort();
}

}  // namespace

extern "C" {

/// The calls since the last time it was asked.
const char* fake_nccl_calls() {
  static std::string last;
  last = std::exchange(calls, {});
  return last.c_str();
}

ncclResult_t ncclGetVersion(int* version) {
  *version = 22809;
  return ncclSuccess;
}
ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  std::memset(id, 1, sizeof *id);
  return ncclSuccess;
}
ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int ranks, ncclUniqueId, int rank,
                                    ncclConfig_t* config) {
  note("init", !alive && ranks == 1 && rank == 0 && config->blocking == 0);
  static char somewhere;
  *comm = reinterpret_cast<ncclComm_t>(&somewhere);
  alive = true;
  polls_to_come = 3;
  return ncclInProgress;
}
ncclResult_t ncclCommGetAsyncError(ncclComm_t, ncclResult_t* state) {
  if (!alive) std::abort();
  *state = polls_to_come > 0 ? ncclInProgress : ncclSuccess;
  if (polls_to_come > 0) --polls_to_come;
  if (std::getenv("FAKE_NCCL_ERROR") != nullptr) *state = ncclRemoteError;
  return ncclSuccess;
}
ncclResult_t ncclCommFinalize(ncclComm_t) {
  note("finalize", alive);
  polls_to_come = 2;
  return ncclInProgress;
}
ncclResult_t ncclCommDestroy(ncclComm_t) {
  note("destroy", alive);
  alive = false;
  return ncclSuccess;
}
ncclResult_t ncclCommAbort(ncclComm_t) {
  while (std::getenv("FAKE_NCCL_HANGS") != nullptr) usleep(1000);
  note("abort", alive);
  alive = false;
  return ncclSuccess;
}
const char* ncclGetErrorString(ncclResult_t) {
  return "a fake error";
}
const char* ncclGetLastError(ncclComm_t) {
  return "of the fake library";
}
ncclResult_t ncclGroupStart() {
  note("group(", !grouped);
  grouped = true;
  return ncclSuccess;
}
ncclResult_t ncclGroupEnd() {
  note(")", grouped && sends.size() == receives.size());
  for (std::size_t i = 0; i < sends.size(); ++i) std::memcpy(receives[i], sends[i].first, sends[i].second);
  sends.clear();
  receives.clear();
  grouped = false;
  polls_to_come = 2;
  return ncclInProgress;
}
ncclResult_t ncclSend(const void* data, std::size_t count, ncclDataType_t, int, ncclComm_t, cudaStream_t) {
  note("send", alive && grouped && polls_to_come == 0);
  sends.emplace_back(data, count);
  return ncclSuccess;
}
ncclResult_t ncclRecv(void* data, std::size_t, ncclDataType_t, int, ncclComm_t, cudaStream_t) {
  note("recv", alive && grouped && polls_to_come == 0);
  receives.push_back(data);
  return ncclSuccess;
}
ncclResult_t ncclAllGather(const void* mine, void* all, std::size_t count, ncclDataType_t, ncclComm_t,
                           cudaStream_t) {
  note("allgather", alive && polls_to_come == 0);
  std::memmove(all, mine, count);
  polls_to_come = 2;
  return ncclInProgress;
}
ncclResult_t ncclAllReduce(const void* mine, void* sum, std::size_t count, ncclDataType_t type,
                           ncclRedOp_t op, ncclComm_t, cudaStream_t) {
  note("allreduce", alive && polls_to_come == 0 && op == ncclSum);
  std::memcpy(sum, mine, count * size_of(type));
  polls_to_come = 2;
  return ncclInProgress;
}
ncclResult_t ncclReduceScatter(const void* mine, void* share, std::size_t count, ncclDataType_t type,
                               ncclRedOp_t op, ncclComm_t, cudaStream_t) {
  note("reduce_scatter", alive && polls_to_come == 0 && op == ncclSum);
  std::memcpy(share, mine, count * size_of(type));
  polls_to_come = 2;
  return ncclInProgress;
}

ncclResult_t ncclMemAlloc(void** memory, std::size_t bytes) {
  *memory = std::malloc(bytes);
  return ncclSuccess;
}
ncclResult_t ncclMemFree(void* memory) {
  std::free(memory);
  return ncclSuccess;
}
ncclResult_t ncclCommRegister(ncclComm_t, void* memory, std::size_t, void** handle) {
  if (std::getenv("FAKE_NCCL_UNREGISTERED") != nullptr) return ncclInvalidUsage;
  note("register", alive);
  *handle = memory;
  return ncclSuccess;
}
ncclResult_t ncclCommDeregister(ncclComm_t, void*) {
  note("deregister", alive);
  return ncclSuccess;
}

}  // extern "C"
