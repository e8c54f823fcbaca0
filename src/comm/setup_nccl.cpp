// SPDX-License-Identifier: Apache-2.0
// From ranks to a connected NCCL communicator: device, library, GPUs apart, unique id, connection. After each
// step all ranks agree that it worked, so that nobody waits in the next one for a rank that cannot.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "src/comm/agree.hpp"
#include "src/comm/device_choice.hpp"
#include "src/comm/link_kind.hpp"
#include "src/comm/link_nccl.hpp"
#include "src/comm/link_wait.hpp"
#include "src/comm/nccl_parts.hpp"

namespace bench::comm {
namespace {

constexpr int kSharedCtas = 2;  // of a communicator on a shared GPU: all ranks' kernels must fit at once
constexpr int kVersionOfSharing = 23000;  // from here on NCCL itself lets ranks share a GPU

std::string uuid_text(int device) {
  cudaDeviceProp properties{};
  check_cuda(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  std::string text = "GPU-";
  for (const char byte : properties.uuid.bytes) {
    std::array<char, 3> hex{};
    std::snprintf(hex.data(), hex.size(), "%02x", static_cast<unsigned char>(byte));
    text += hex.data();
  }
  return text;
}

/// Takes this rank's device and says which one it is.
std::string take_device(int local_rank) {
  int visible = 0;
  const cudaError_t code = cudaGetDeviceCount(&visible);
  if (code != cudaSuccess)
    throw Error(ErrorKind::unavailable,
                concat("no GPU for NCCL: cudaGetDeviceCount: ", cudaGetErrorString(code)));
  const int device = choose_device(local_rank, visible);
  check_cuda(cudaSetDevice(device), "cudaSetDevice");
  return uuid_text(device);
}

/// Every rank's place, everywhere.
std::vector<GpuPlace> places_of(const Communicator& group, const std::string& uuid) {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  const auto lines = group.gather(concat(host.data(), "\n", uuid, "\n"), 0);
  std::string all;
  for (const std::string& line : lines) all += line;
  all = group.bcast(all, 0);
  std::vector<GpuPlace> places;
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t middle = all.find('\n', at), end = all.find('\n', middle + 1);
    places.push_back({all.substr(at, middle - at), all.substr(middle + 1, end - middle - 1)});
    at = end + 1;
  }
  return places;
}

/// What a process must say before its first NCCL call when it shares its GPU. A user's own setting stays.
void prepare_sharing(int version, bool one_host) {
  setenv("NCCL_NVLS_ENABLE", "0", 0);
  if (version >= kVersionOfSharing) {
    setenv("NCCL_MULTI_RANK_GPU_ENABLE", "1", 0);
    return;
  }
  setenv("NCCL_HOSTID", concat("bench_scale.", getpid()).c_str(), 0);
  if (one_host) setenv("NCCL_SOCKET_IFNAME", "lo", 0);
  setenv("NCCL_IB_DISABLE", "1", 0);
}

/// A communicator, once it is connected; on failure there is none.
ncclComm_t connect(const NcclSetup& setup, const ncclUniqueId& id, double seconds) {
  const NcclLibrary& nccl = NcclLibrary::get();
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  if (setup.functional_only) config.maxCTAs = kSharedCtas;
  ncclComm_t comm = nullptr;
  check_nccl(nccl.init(&comm, setup.size, id, setup.rank, &config), "ncclCommInitRankConfig");
  const LinkWait patience(seconds);
  try {
    for (ncclResult_t state = ncclInProgress; state == ncclInProgress;) {
      check_nccl(nccl.async_error(comm, &state), "ncclCommGetAsyncError", comm);
      check_nccl(state, "ncclCommInitRankConfig", comm);
      if (state == ncclInProgress && patience.expired())
        patience.give_up("the other ranks to connect by NCCL");
    }
    return comm;
  } catch (const Error&) {
    nccl.abort(comm);
    throw;
  }
}

}  // namespace

std::unique_ptr<LinkNccl> make_nccl_link(const Communicator& group, const NcclOptions& options) {
  const int local_rank = options.local_rank >= 0 ? options.local_rank : group.node().rank();
  std::string uuid;
  agree(group, "NCCL", reason_of([&] { uuid = take_device(local_rank); }));
  agree(group, "NCCL", reason_of([&] { NcclLibrary::get(); }));
  NcclSetup setup{.rank = group.rank(), .size = group.size()};
  const std::vector<GpuPlace> places = places_of(group, uuid);
  setup.functional_only = check_gpus_apart(places, options.allow_shared_gpu);
  const bool one_host = std::all_of(places.begin(), places.end(),
                                    [&](const GpuPlace& place) { return place.host == places.front().host; });
  ncclUniqueId id{};
  agree(group, "NCCL", reason_of([&] {
          check_nccl(NcclLibrary::get().get_version(&setup.version), "ncclGetVersion");
          if (setup.functional_only) prepare_sharing(setup.version, one_host);
          if (group.rank() == 0) check_nccl(NcclLibrary::get().get_unique_id(&id), "ncclGetUniqueId");
        }));
  const std::string bytes = group.bcast(std::string(id.internal, sizeof id.internal), 0);
  std::memcpy(id.internal, bytes.data(), sizeof id.internal);
  std::unique_ptr<LinkNccl> link;
  agree(group, "NCCL", reason_of([&] { setup.comm = connect(setup, id, options.setup_s); }));
  setup.registers = group.all(try_to_register(setup).empty());
  agree(group, "NCCL", reason_of([&] { link = link_over(setup); }));
  return link;
}

namespace {

const Registrar<LinkMaker> registrar{
    {.name = "nccl", .make = [](const Communicator& group, const DeviceOptions& options) -> std::unique_ptr<Link> {
       return make_nccl_link(group, {options});
     }}};

}  // namespace
}  // namespace bench::comm
