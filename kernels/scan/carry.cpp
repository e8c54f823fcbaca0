// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/carry.hpp"

namespace bench::scan {

void broadcast_from_last(Link& link, std::span<std::byte> bytes) {
  const int p = link.size();
  const int place = p - 1 - link.rank();  // the last rank is at place 0
  const auto rank_at = [&](int at) { return p - 1 - (at + p) % p; };
  // Before the round of distance d, places 0 .. d-1 have the bytes. Ranks without a part exchange nothing, so
  // every post is matched.
  for (int distance = 1; distance < p; distance *= 2) {
    const bool sends = place < distance && place + distance < p;
    const bool receives = place >= distance && place < 2 * distance;
    const auto out = sends ? std::span<const std::byte>(bytes) : std::span<const std::byte>();
    const auto in = receives ? bytes : std::span<std::byte>();
    link.sendrecv(out, rank_at(place + distance), in, rank_at(place - distance));
  }
}

}  // namespace bench::scan
