// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/carry.hpp"

#include <algorithm>

namespace bench::scan {
namespace {

/// The state before rank r is the record of all lower ranks, applied to the first state.
void by_exscan(Link& link, const CarryRules& rules, std::span<std::byte> record, std::span<std::byte> state,
               std::span<std::byte> room) {
  rules.clear(room);
  link.exscan(record, room, rules.combine);
  rules.apply(record, state);
}

/// Neighbours exchange a state against nothing: each post has its match in the one other rank it names, so a
/// rank waits for no one but its lower neighbour.
void by_chain(Link& link, const CarryRules& rules, std::span<std::byte> record, std::span<std::byte> state,
              std::span<std::byte> room) {
  const int me = link.rank();
  if (me > 0) link.sendrecv({}, me - 1, state, me - 1);
  if (me + 1 == link.size()) return;
  std::ranges::copy(state, room.begin());
  rules.apply(record, room);
  link.sendrecv(room, me + 1, {}, me + 1);
}

/// All records everywhere; the lower ones in turn.
void by_allgather(Link& link, const CarryRules& rules, std::span<std::byte> record,
                  std::span<std::byte> state, std::span<std::byte> room) {
  link.allgather(record, room);
  for (int r = 0; r < link.rank(); ++r)
    rules.apply(room.subspan(static_cast<std::size_t>(r) * record.size(), record.size()), state);
}

}  // namespace

std::int64_t exchange_room(Exchange how, std::int64_t ranks, std::int64_t record_bytes,
                           std::int64_t state_bytes) {
  switch (how) {
    case Exchange::exscan:
      return record_bytes;
    case Exchange::chain:
      return state_bytes;
    case Exchange::allgather:
      return ranks * record_bytes;
  }
  return 0;
}

void start_state(Exchange how, Link& link, const CarryRules& rules, std::span<std::byte> record,
                 std::span<std::byte> state, std::span<std::byte> room) {
  const auto needed = exchange_room(how, link.size(), static_cast<std::int64_t>(record.size()),
                                    static_cast<std::int64_t>(state.size()));
  const auto used = room.subspan(0, static_cast<std::size_t>(needed));
  switch (how) {
    case Exchange::exscan:
      return by_exscan(link, rules, record, state, used);
    case Exchange::chain:
      return by_chain(link, rules, record, state, used);
    case Exchange::allgather:
      return by_allgather(link, rules, record, state, used);
  }
}

void reduce_to_last(
    Link& link, std::span<std::byte> mine, std::span<std::byte> room,
    const std::function<void(std::span<const std::byte> other, std::span<std::byte> mine)>& add) {
  const int p = link.size();
  const int place = p - 1 - link.rank();  // the last rank is at place 0
  const auto rank_at = [&](int at) { return p - 1 - (at + p) % p; };
  // After the round of distance d, a place that is a multiple of 2d holds the sum of the 2d places from it
  // on.
  for (int distance = 1; distance < p; distance *= 2) {
    const bool sends = place % (2 * distance) == distance;
    const bool receives = place % (2 * distance) == 0 && place + distance < p;
    const auto out = sends ? std::span<const std::byte>(mine) : std::span<const std::byte>();
    const auto in = receives ? room : std::span<std::byte>();
    link.sendrecv(out, rank_at(place - distance), in, rank_at(place + distance));
    if (receives) add(room, mine);
  }
}

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
