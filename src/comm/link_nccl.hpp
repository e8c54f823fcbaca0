// SPDX-License-Identifier: Apache-2.0
// Ranks with a GPU each, over NCCL. All spans that this link is given are DEVICE memory of the rank's own GPU
// (votes and other host data need a host link beside it). Only builds with CUDA and NCCL have it; libnccl is
// opened at run time, so that a process never holds two (LibTorch brings one along), and no NCCL function is
// called before CUDA has said that there is a device: without one NCCL fails late and in odd ways.
//
// The communicator is nonblocking: every wait polls and asks NCCL for asynchronous errors. Those do not tell
// of a killed or stuck peer, so only a deadline ends such a wait; then the communicator is aborted. When that
// does not return, or its kernels do not leave the GPU, in a grace period, the link's memory is in doubt.
//
// Everything it moves is on one stream of high priority. A post waits for the followed stream by an event, and
// hold_up makes a stream wait for the post by another; all exchanges of a communicator go one after the other.
#pragma once

#include <memory>

#include "src/comm/communicator.hpp"
#include "src/comm/link_kind.hpp"
#include "src/core/link.hpp"

namespace bench::comm {

struct NcclOptions : DeviceOptions {
  double setup_s = 120.0;  // to build the communicator
};

using LinkNccl = DeviceLink;

/// Collective over `group`. Sets this process's device: by its number on its node (device_choice.hpp).
/// Error(unavailable) on every rank when one has no device or no libnccl, a usage error when two share a GPU
/// and may not. NCCL before 2.30 refuses such ranks as duplicates; each then calls itself a host of its own
/// (NCCL_HOSTID) and they talk over loopback sockets. That works only in a process that has used no NCCL yet.
std::unique_ptr<LinkNccl> make_nccl_link(const Communicator& group, const NcclOptions& options = {});

}  // namespace bench::comm
