// SPDX-License-Identifier: Apache-2.0
#include "src/comm/link_kind.hpp"

#include <array>

#include "src/comm/link_mpi.hpp"
#include "src/comm/link_self.hpp"
#include "src/comm/link_shm.hpp"
#include "src/core/error.hpp"

namespace bench {

template <>
Registry<comm::LinkMaker>& Registry<comm::LinkMaker>::instance() {
  static Registry<comm::LinkMaker> registry;
  return registry;
}

namespace comm {
namespace {

constexpr std::array<std::string_view, 3> kNames{"mpi", "mpi-shm", "nccl"};

}  // namespace

std::string_view to_text(LinkKind kind) {
  return kNames[static_cast<std::size_t>(kind)];
}

LinkKind parse_link_kind(std::string_view text) {
  for (std::size_t k = 0; k < kNames.size(); ++k) {
    if (kNames[k] == text) return static_cast<LinkKind>(k);
  }
  usage_error(concat("'", text, "' is no link; known: mpi, mpi-shm, nccl"));
}

std::unique_ptr<Link> make_link(LinkKind kind, const Communicator& group, const DeviceOptions& options) {
  if (kind == LinkKind::nccl) {
    const LinkMaker* maker = Registry<LinkMaker>::instance().find("nccl");
    if (maker == nullptr)
      throw Error(ErrorKind::unavailable,
                  "this build has no NCCL link: it needs CUDA and nccl.h when it is configured");
    return maker->make(group, options);
  }
  if (group.size() == 1) return std::make_unique<LinkSelf>();
  if (kind == LinkKind::mpi_shm) return make_shm_link(group);
  return std::make_unique<LinkMpi>(group);
}

}  // namespace comm
}  // namespace bench
