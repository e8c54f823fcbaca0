// SPDX-License-Identifier: Apache-2.0
#include "src/comm/block_links.hpp"

#include <optional>

#include "src/comm/link_self.hpp"
#include "src/comm/mpi_check.hpp"

namespace bench::comm {
namespace {

/// MPI_Comm_create_group is collective over the group alone, so the ranks outside may sleep or work on
/// another case meanwhile.
Communicator group_of(const Communicator& world, int first, int size) {
  MPI_Group everyone = MPI_GROUP_NULL, block = MPI_GROUP_NULL;
  MPI_Comm made = MPI_COMM_NULL;
  int range[1][3] = {{first, first + size - 1, 1}};
  BS_MPI(MPI_Comm_group(world.get(), &everyone));
  BS_MPI(MPI_Group_range_incl(everyone, 1, range, &block));
  const int code = MPI_Comm_create_group(world.get(), block, first, &made);
  MPI_Group_free(&block);
  MPI_Group_free(&everyone);
  BS_MPI(code);
  return Communicator(made);
}

}  // namespace

BlockLinks::Entry BlockLinks::make_entry(LinkKind kind, const Communicator& block, std::int64_t generation) const {
  try {
    return {make_link(kind, block, options_), generation, {}};
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unavailable) throw;
    return {nullptr, generation, error.what()};
  }
}

void BlockLinks::make(const std::vector<std::int64_t>& firsts, std::int64_t size, const std::set<LinkKind>& kinds) {
  if (size == 1) return;
  int mine = -1;
  for (const std::int64_t first : firsts)
    if (world_.rank() >= first && world_.rank() < first + size) mine = static_cast<int>(first);
  const std::optional<Communicator> block = world_.split(mine, world_.rank());
  if (!block) return;
  for (const LinkKind kind : kinds) links_[{mine, static_cast<int>(size), kind}] = make_entry(kind, *block, 0);
}

Link& BlockLinks::get(int first, int size, std::int64_t generation, LinkKind kind) {
  Entry& entry = links_[{first, size, kind}];
  const bool known = entry.link || !entry.unavailable.empty();
  if (!known || entry.generation != generation) {
    entry = {};  // the old one goes first
    if (size == 1)
      entry = {std::make_unique<LinkSelf>(), generation, {}};
    else
      entry = make_entry(kind, group_of(world_, first, size), generation);
  }
  if (!entry.link) throw Error(ErrorKind::unavailable, entry.unavailable);
  return *entry.link;
}

}  // namespace bench::comm
