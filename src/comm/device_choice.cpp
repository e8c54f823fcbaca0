// SPDX-License-Identifier: Apache-2.0
#include "src/comm/device_choice.hpp"

#include <map>
#include <utility>

#include "src/core/error.hpp"

namespace bench::comm {

int choose_device(int local_rank, int visible) {
  BS_REQUIRE(local_rank >= 0, "local rank ", local_rank);
  if (visible < 1) throw Error(ErrorKind::unavailable, "no GPU is visible to this rank");
  return visible == 1 ? 0 : local_rank % visible;
}

bool check_gpus_apart(std::span<const GpuPlace> places, bool allow_shared) {
  std::map<std::pair<std::string, std::string>, std::size_t> first_rank;
  bool shared = false;
  for (std::size_t r = 0; r < places.size(); ++r) {
    const auto [it, fresh] = first_rank.emplace(std::pair(places[r].host, places[r].uuid), r);
    if (fresh) continue;
    if (!allow_shared) {
      usage_error(concat("ranks ", it->second, " and ", r, " of a block are both on GPU ", places[r].uuid,
                         " of ", places[r].host,
                         ", so their times would be each other's; start at most one rank a GPU, or "
                         "allow shared GPUs for a run that only shows that it works"));
    }
    shared = true;
  }
  return shared;
}

}  // namespace bench::comm
