// SPDX-License-Identifier: Apache-2.0
// The back ends that a run may choose between for its blocks of ranks.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "src/comm/communicator.hpp"
#include "src/core/link.hpp"
#include "src/core/registry.hpp"

namespace bench::comm {

enum class LinkKind {
  mpi,      // host memory, two-sided messages of MPI
  mpi_shm,  // host memory that the ranks of one node share
  nccl,     // device memory, one GPU a rank
};

/// "mpi", "mpi-shm", "nccl"; the label of the link's rows.
std::string_view to_text(LinkKind kind);
/// A usage error that names the known kinds when `text` is none of them.
LinkKind parse_link_kind(std::string_view text);

/// What a link between devices is told besides.
struct DeviceOptions {
  bool allow_shared_gpu = false;  // several ranks on one GPU, to show that it works: DeviceLink::functional_only()
  int local_rank = -1;            // of this process among those of its node, which take its devices in turn; -1: among the group's
};

/// Collective over `group`, of which the link keeps what it needs. One rank gets a LinkSelf from the host
/// kinds. Error(unavailable) on every rank, with the reason, when the kind cannot be had here: mpi-shm across
/// nodes, nccl in a build without it or on a machine without a device. nccl's is a DeviceLink; `options` are for it alone.
std::unique_ptr<Link> make_link(LinkKind kind, const Communicator& group, const DeviceOptions& options = {});

/// How a kind that only some builds have introduces itself.
struct LinkMaker {
  std::string name;
  std::function<std::unique_ptr<Link>(const Communicator&, const DeviceOptions&)> make;
};

}  // namespace bench::comm

namespace bench {
template <>
Registry<comm::LinkMaker>& Registry<comm::LinkMaker>::instance();
}
