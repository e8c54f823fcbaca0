// SPDX-License-Identifier: Apache-2.0
#include "src/core/link.hpp"

#include <algorithm>
#include <vector>

namespace bench {
namespace {

/// Up to here an allgather is latency: fewer rounds win. Above, the copies into and out of Bruck's buffer do not pay.
constexpr std::size_t kShortPiece = 8 * 1024;

struct Gathering {
  explicit Gathering(bool& flag) : flag_(flag) { flag_ = true; }
  ~Gathering() { flag_ = false; }
  Gathering(const Gathering&) = delete;
  Gathering& operator=(const Gathering&) = delete;
  bool& flag_;
};

}  // namespace

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

void Link::allgather_by_posts(std::span<const std::byte> mine, std::span<std::byte> all) {
  const int p = size(), me = rank();
  const std::size_t each = mine.size(), ranks = static_cast<std::size_t>(p);
  BS_REQUIRE(all.size() == each * ranks, "allgather: ", all.size(), " bytes of room for ", p, " x ", each);
  require_whole();
  const Gathering as_a_gather(gathering_);
  const auto piece = [&](int r) { return all.subspan(static_cast<std::size_t>(r) * each, each); };
  if (each > kShortPiece || p <= 2) {
    std::copy(mine.begin(), mine.end(), piece(me).begin());
    // Round d pairs every rank with the ones d places up and down: no two ranks flood the same one.
    for (int distance = 1; distance < p; ++distance) {
      const int from = (me - distance + p) % p;
      sendrecv(mine, (me + distance) % p, piece(from), from);
    }
    return;
  }
  // Before the round of distance d, `turned` holds the pieces of ranks me, me+1, ..., me+d-1 (modulo p).
  std::vector<std::byte> turned(all.size());
  std::copy(mine.begin(), mine.end(), turned.begin());
  for (int distance = 1; distance < p; distance *= 2) {
    const std::size_t have = static_cast<std::size_t>(distance);
    const std::size_t bytes = std::min(have, ranks - have) * each;
    sendrecv(std::span(turned).first(bytes), (me - distance + p) % p, std::span(turned).subspan(have * each, bytes),
             (me + distance) % p);
  }
  for (int k = 0; k < p; ++k) {
    const auto from = std::span(turned).subspan(static_cast<std::size_t>(k) * each, each);
    std::copy(from.begin(), from.end(), piece((me + k) % p).begin());
  }
}

void Link::set_deadline(double seconds_from_now) {
  deadline_s_ = now_s() + seconds_from_now;
  on_deadline(seconds_from_now);
}

void Link::clear_deadline() {
  deadline_s_ = kNever_s;
  on_deadline(kNever_s);
}

void Link::require_whole() const {
  if (broken()) throw Error(ErrorKind::comm, concat("this link is broken since: ", broken_because_));
}

void Link::break_link(const std::string& reason) {
  if (!broken()) broken_because_ = reason.empty() ? "it failed" : reason;
}

}  // namespace bench
