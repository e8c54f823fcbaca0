// SPDX-License-Identifier: Apache-2.0
// Links of the blocks that this rank has worked in: made the first time a block is used, kept for the next.
#pragma once

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
  /// call. One rank: LinkSelf.
  Link& get(int first, int size);

 private:
  const Communicator& world_;
  std::map<std::pair<int, int>, std::unique_ptr<Link>> links_;
};

}  // namespace bench::comm
