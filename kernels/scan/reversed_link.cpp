// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/reversed_link.hpp"

#include <algorithm>

namespace bench::scan {

void ReversedLink::allgather(std::span<const std::byte> mine, std::span<std::byte> all) {
  link_.allgather(mine, all);
  const std::size_t each = mine.size(), ranks = static_cast<std::size_t>(size());
  for (std::size_t low = 0, high = ranks - 1; low < high; ++low, --high)
    std::ranges::swap_ranges(all.subspan(low * each, each), all.subspan(high * each, each));
}

}  // namespace bench::scan
