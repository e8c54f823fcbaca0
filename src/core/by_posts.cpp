// SPDX-License-Identifier: Apache-2.0
#include "src/core/by_posts.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "src/core/add_elements.hpp"
#include "src/core/link.hpp"

namespace bench::by_posts {
namespace {

using In = std::span<const std::byte>;
using Out = std::span<std::byte>;

/// Up to here a call is latency: fewer rounds win. Above, more copies than needed do not pay.
constexpr std::size_t kShort = 8 * 1024;
/// What is added while the next part comes: long enough that a message's own cost does not count, short enough to be in a core's cache still.
constexpr std::size_t kPart = 128 * 1024;

/// Memory for what arrives. When the transport may still write into it, nobody else gets it.
struct Room {
  Room(const Link& of, std::size_t size) : link(of), memory(std::make_unique_for_overwrite<std::byte[]>(size)), bytes(memory.get(), size) {}
  ~Room() {
    if (link.memory_in_doubt()) static_cast<void>(memory.release());
  }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;
  const Link& link;
  std::unique_ptr<std::byte[]> memory;
  Out bytes;
};

int at(const Link& link, int distance) {
  return (link.rank() + distance % link.size() + link.size()) % link.size();
}
template <class Span>
Span piece(Span all, int rank, std::size_t each) {
  return all.subspan(static_cast<std::size_t>(rank) * each, each);
}
void copy(In from, Out to) {
  std::copy(from.begin(), from.end(), to.begin());
}

/// The share of `rank` in an array that need not be divisible: the first (elements mod P) ranks have one element more.
template <class Span>
Span chunk(Span all, DType dtype, int rank, int ranks) {
  const auto size = static_cast<std::size_t>(size_of(dtype)), count = all.size() / size;
  const auto r = static_cast<std::size_t>(rank), p = static_cast<std::size_t>(ranks);
  const auto begin = [&](std::size_t k) { return (k * (count / p) + std::min(k, count % p)) * size; };
  return all.subspan(begin(r), begin(r + 1) - begin(r));
}

/// out = the sum of all pieces, in rank order.
void add_up(DType dtype, In pieces, Out out) {
  copy(pieces.first(out.size()), out);
  for (std::size_t done = out.size(); done < pieces.size(); done += out.size()) add_elements(dtype, pieces.subspan(done, out.size()), out);
}

void allreduce_ring(Link& link, DType dtype, In mine, Out sum) {
  const int p = link.size(), up = at(link, 1), down = at(link, -1);
  // What comes in step s has the sum of s + 1 ranks; this one's part is added and goes on in the next step. Chunk r ends at rank r.
  for (int step = 0; step + 1 < p; ++step) {
    const int leaves = at(link, -step - 1), comes = at(link, -step - 2);
    const Out into = chunk(sum, dtype, comes, p);
    link.sendrecv(chunk(step == 0 ? mine : In(sum), dtype, leaves, p), up, into, down);
    add_elements(dtype, chunk(mine, dtype, comes, p), into);
  }
  for (int step = 0; step + 1 < p; ++step)
    link.sendrecv(chunk(In(sum), dtype, at(link, -step), p), up, chunk(sum, dtype, at(link, -step - 1), p), down);
}

/// Exchanges with the ranks `distance` up and down, part by part, and adds what comes to `share`.
void add_from(Link& link, DType dtype, int distance, In mine, Out share, Out room) {
  const int to = at(link, distance), from = at(link, -distance);
  const In leaves = piece(mine, to, share.size());
  const auto arrived = [&](std::size_t begin) {
    return room.subspan(begin / kPart % 2 * kPart, std::min(kPart, share.size() - begin));
  };
  const auto post = [&](std::size_t begin) {
    return begin < share.size() ? link.post(leaves.subspan(begin, arrived(begin).size()), to, arrived(begin), from) : nullptr;
  };
  auto coming = post(0);
  for (std::size_t begin = 0; begin < share.size(); begin += kPart) {
    const auto next = begin + kPart;
    coming->wait();
    coming = post(next);
    add_elements(dtype, arrived(begin), share.subspan(begin, arrived(begin).size()));
  }
}

/// Every other rank's piece, all in flight together.
void exchange_at_once(Link& link, In out, Out in) {
  const std::size_t each = out.size() / static_cast<std::size_t>(link.size());
  std::vector<std::unique_ptr<Transfer>> transfers;
  for (int d = 1; d < link.size(); ++d)
    transfers.push_back(link.post(piece(out, at(link, d), each), at(link, d), piece(in, at(link, -d), each), at(link, -d)));
  copy(piece(out, link.rank(), each), piece(in, link.rank(), each));
  for (const auto& transfer : transfers) transfer->wait();
}

}  // namespace

void allgather(Link& link, In mine, Out all) {
  require_allgather(link, mine.size(), all.size());
  const int p = link.size();
  const std::size_t each = mine.size(), ranks = static_cast<std::size_t>(p);
  if (each > kShort || p <= 2) {
    copy(mine, piece(all, link.rank(), each));
    // Round d pairs every rank with the ones d places up and down: no two ranks flood the same one.
    for (int d = 1; d < p; ++d) link.sendrecv(mine, at(link, d), piece(all, at(link, -d), each), at(link, -d));
    return;
  }
  // Before the round of distance d, `turned` holds the pieces of ranks me, me+1, ..., me+d-1 (modulo p).
  const Room turned(link, all.size());
  copy(mine, turned.bytes);
  for (int distance = 1; distance < p; distance *= 2) {
    const std::size_t have = static_cast<std::size_t>(distance);
    const std::size_t bytes = std::min(have, ranks - have) * each;
    link.sendrecv(turned.bytes.first(bytes), at(link, -distance), turned.bytes.subspan(have * each, bytes), at(link, distance));
  }
  for (int k = 0; k < p; ++k) copy(piece(turned.bytes, k, each), piece(all, at(link, k), each));
}

void allreduce(Link& link, DType dtype, In mine, Out sum) {
  require_allreduce(dtype, mine.size(), sum.size());
  const std::size_t everything = mine.size() * static_cast<std::size_t>(link.size());
  if (link.size() == 1) return copy(mine, sum);
  if (everything > kShort) return allreduce_ring(link, dtype, mine, sum);
  const Room all(link, everything);
  allgather(link, mine, all.bytes);
  if (!mine.empty()) add_up(dtype, all.bytes, sum);
}

void reduce_scatter(Link& link, DType dtype, In mine, Out share) {
  require_reduce_scatter(link, dtype, mine.size(), share.size());
  if (mine.size() <= kShort) {
    const Room all(link, mine.size());
    exchange_at_once(link, mine, all.bytes);
    if (!mine.empty()) add_up(dtype, all.bytes, share);
    return;
  }
  copy(piece(mine, link.rank(), share.size()), share);
  const Room room(link, 2 * kPart);
  for (int d = 1; d < link.size(); ++d) add_from(link, dtype, d, mine, share, room.bytes);
}

void alltoall(Link& link, In out, Out in) {
  require_alltoall(link, out.size(), in.size());
  if (out.size() <= kShort) return exchange_at_once(link, out, in);
  const std::size_t each = out.size() / static_cast<std::size_t>(link.size());
  copy(piece(out, link.rank(), each), piece(in, link.rank(), each));
  for (int d = 1; d < link.size(); ++d)
    link.sendrecv(piece(out, at(link, d), each), at(link, d), piece(in, at(link, -d), each), at(link, -d));
}

void require_allgather(const Link& link, std::size_t mine, std::size_t all) {
  BS_REQUIRE(all == mine * static_cast<std::size_t>(link.size()), "allgather: ", all, " bytes of room for ", link.size(), " x ", mine);
}
void require_allreduce(DType dtype, std::size_t mine, std::size_t sum) {
  BS_REQUIRE(mine == sum && mine % static_cast<std::size_t>(size_of(dtype)) == 0, "allreduce: ", sum, " bytes of room for ", mine, " of ", to_text(dtype));
}
void require_reduce_scatter(const Link& link, DType dtype, std::size_t mine, std::size_t share) {
  BS_REQUIRE(mine == share * static_cast<std::size_t>(link.size()) && share % static_cast<std::size_t>(size_of(dtype)) == 0, "reduce_scatter: ", share,
             " bytes of room for a share of ", mine, " of ", to_text(dtype));
}
void require_alltoall(const Link& link, std::size_t out, std::size_t in) {
  BS_REQUIRE(out == in && out % static_cast<std::size_t>(link.size()) == 0, "alltoall: ", in, " bytes of room for ", out, ", in ", link.size(), " pieces");
}

}  // namespace bench::by_posts
