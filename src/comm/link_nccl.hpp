// SPDX-License-Identifier: Apache-2.0
// Ranks with a GPU each, over NCCL. All spans that this link is given are DEVICE memory of the rank's own GPU
// (votes and other host data need a host link beside it). Only builds with CUDA and NCCL have it; libnccl is
// opened at run time, so that a process never holds two (LibTorch brings one along), and no NCCL function is
// called before CUDA has said that there is a device: without one NCCL fails late and in odd ways.
//
// The communicator is nonblocking: every wait polls and asks NCCL for asynchronous errors. Those do not tell
// of a killed or stuck peer, so only a deadline ends such a wait; then the communicator is aborted. When its
// kernels do not leave the GPU in a grace period after that, the link's memory is in doubt.
#pragma once

#include <memory>

#include "src/comm/communicator.hpp"
#include "src/core/link.hpp"

namespace bench::comm {

struct NcclOptions {
  void* compute_stream = nullptr;  // a cudaStream_t: a post starts after the work queued there so far
  bool allow_shared_gpu = false;   // several ranks on one GPU, to show that it works: see functional_only()
  double setup_s = 120.0;          // to build the communicator
};

class LinkNccl : public Link {
 public:
  /// Two ranks of the group share a GPU: the answers count, times mean nothing.
  virtual bool functional_only() const = 0;
  /// NCCL's version number as it calls itself, 22809 for 2.28.9.
  virtual int version() const = 0;
};

/// Collective over `group`. Sets this process's device: by its number on its node (device_choice.hpp).
/// Error(unavailable) on every rank when one has no device or no libnccl, a usage error when two share a GPU
/// and may not. NCCL before 2.30 refuses such ranks as duplicates; each then calls itself a host of its own
/// (NCCL_HOSTID) and they talk over loopback sockets. That works only in a process that has used no NCCL yet.
std::unique_ptr<LinkNccl> make_nccl_link(const Communicator& group, const NcclOptions& options = {});

}  // namespace bench::comm
