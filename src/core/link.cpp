// SPDX-License-Identifier: Apache-2.0
#include "src/core/link.hpp"

#include <algorithm>
#include <vector>

namespace bench {

void Link::exscan(std::span<std::byte> record, std::span<const std::byte> identity, const Combine& combine) {
  const int p = size();
  const int me = rank();
  std::vector<std::byte> inclusive(record.begin(), record.end());
  std::vector<std::byte> arrived(record.size());
  const std::span<const std::byte> nothing_out;
  const std::span<std::byte> nothing_in;
  // After the round of distance d, `inclusive` covers ranks me-2d+1 .. me.
  for (int distance = 1; distance < p; distance *= 2) {
    const bool sends = me + distance < p;
    const bool receives = me - distance >= 0;
    const auto out = sends ? std::span<const std::byte>(inclusive) : nothing_out;
    const auto in = receives ? std::span<std::byte>(arrived) : nothing_in;
    // Ranks without a partner exchange zero bytes round the ring, so that every post has a matching one.
    sendrecv(out, (me + distance) % p, in, (me - distance + p) % p);
    if (receives) combine(arrived, inclusive);
  }
  // Shift by one: the exclusive value of rank r is the inclusive value of rank r-1.
  const auto in = me > 0 ? std::span<std::byte>(record) : nothing_in;
  const auto out = me + 1 < p ? std::span<const std::byte>(inclusive) : nothing_out;
  sendrecv(out, (me + 1) % p, in, (me - 1 + p) % p);
  if (me == 0) std::copy(identity.begin(), identity.end(), record.begin());
}

}  // namespace bench
