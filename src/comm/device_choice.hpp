// SPDX-License-Identifier: Apache-2.0
// Which GPU a rank takes, and whether two ranks took the same one. Pure: no CUDA, no MPI.
#pragma once

#include <span>
#include <string>

namespace bench::comm {

/// The device for the rank that is number `local_rank` on its node, of `visible` devices. One visible device
/// is taken as it is: the launcher chose it (CUDA_VISIBLE_DEVICES per rank). Otherwise ranks take turns.
/// Error(unavailable) when there is none.
int choose_device(int local_rank, int visible);

/// Where a rank computes. Device numbers mean nothing across processes, the uuid does.
struct GpuPlace {
  std::string host;
  std::string uuid;
};

/// The places of a block's ranks, in rank order. False when each rank has a GPU to itself. True when two
/// share one and `allow_shared`: what runs then shows that it works and never how fast (functional_only).
/// A usage error that names the ranks, the host and the GPU when they share and may not.
bool check_gpus_apart(std::span<const GpuPlace> places, bool allow_shared);

}  // namespace bench::comm
