// SPDX-License-Identifier: Apache-2.0
// Links of the blocks that this rank works in. They are made by one split of the world for each size, while everybody is there: a group that
// is made later, by its members alone, waits for ever for a member that died or left meanwhile.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "src/comm/communicator.hpp"
#include "src/comm/link_kind.hpp"
#include "src/core/link.hpp"

namespace bench::comm {

class BlockLinks {
 public:
  explicit BlockLinks(const Communicator& world, const DeviceOptions& options = {}) : world_(world), options_(options) {}
  /// Makes the links of blocks [f, f + size) for every f of `firsts`, which do not overlap, of each of `kinds`. Collective over the world.
  void make(const std::vector<std::int64_t>& firsts, std::int64_t size, const std::set<LinkKind>& kinds = {LinkKind::mpi});
  /// The link of world ranks [first, first + size). One rank: LinkSelf. All ranks of the block name the same `generation`: another one
  /// than the last drops the old link, whose messages may be out of step, for a new one; that, and a block that make() was not told of,
  /// is collective over those ranks only. Error(unavailable) on all of them when the kind cannot be had here.
  Link& get(int first, int size, std::int64_t generation = 0, LinkKind kind = LinkKind::mpi);
  /// The same between those ranks' devices, beside the one between their processes; at least two ranks.
  DeviceLink& get_device(int first, int size, std::int64_t generation = 0) {
    return dynamic_cast<DeviceLink&>(get(first, size, generation, LinkKind::nccl));
  }

 private:
  struct Entry {
    std::unique_ptr<Link> link;
    std::int64_t generation = 0;
    std::string unavailable;  // why there is no link
  };
  Entry make_entry(LinkKind kind, const Communicator& block, std::int64_t generation) const;

  const Communicator& world_;
  DeviceOptions options_;
  std::map<std::tuple<int, int, LinkKind>, Entry> links_;
};

}  // namespace bench::comm
