// SPDX-License-Identifier: Apache-2.0
// Links of the blocks that this rank has worked in: made the first time a block is used, kept for the next.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "src/comm/communicator.hpp"
#include "src/core/link.hpp"

namespace bench::comm {

class BlockLinks {
 public:
  explicit BlockLinks(const Communicator& world) : world_(world) {}
  /// The link of world ranks [first, first + size). Collective over those ranks only; the others need not
  /// call. One rank: LinkSelf. All ranks of the block name the same `generation`: another one than the last
  /// drops the old link, whose messages may be out of step, for a new one.
  Link& get(int first, int size, std::int64_t generation = 0);

 private:
  struct Entry {
    std::unique_ptr<Link> link;
    std::int64_t generation = 0;
  };
  const Communicator& world_;
  std::map<std::pair<int, int>, Entry> links_;
};

}  // namespace bench::comm
