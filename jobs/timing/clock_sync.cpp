// SPDX-License-Identifier: Apache-2.0
#include "jobs/timing/clock_sync.hpp"

#include <algorithm>
#include <bit>
#include <vector>

#include "src/core/error.hpp"

namespace bench::jobs {
namespace {

// The best of 64 has met an idle link even on a busy machine; 1000, as HCA3 takes, would cost milliseconds a visit.
constexpr int kExchanges = 64;

double round_trip(const Exchange& e) { return e.received_s - e.sent_s; }

std::span<const std::byte> bytes_of(const ClockOffset& value) { return std::as_bytes(std::span(&value, 1)); }

/// The child's side: pings `parent` and learns its own offset to rank 0.
ClockOffset ask(Link& link, const Clock& clock, int parent) {
  std::vector<Exchange> exchanges(kExchanges);
  std::byte ping{0};
  for (Exchange& e : exchanges) {
    e.sent_s = clock();
    link.sendrecv(std::span(&ping, 1), parent, {}, parent);
    link.sendrecv({}, parent, std::as_writable_bytes(std::span(&e.remote_s, 1)), parent);
    e.received_s = clock();
  }
  ClockOffset of_parent;
  link.sendrecv({}, parent, std::as_writable_bytes(std::span(&of_parent, 1)), parent);
  const ClockOffset mine = offset_of(exchanges);
  return {mine.offset_s + of_parent.offset_s, mine.bound_s + of_parent.bound_s};
}

/// The parent's side; `mine` is its own offset to rank 0, known from an earlier round.
void answer(Link& link, const Clock& clock, int child, const ClockOffset& mine) {
  std::byte ping{0};
  for (int i = 0; i < kExchanges; ++i) {
    link.sendrecv({}, child, std::span(&ping, 1), child);
    const double now = clock();
    link.sendrecv(std::as_bytes(std::span(&now, 1)), child, {}, child);
  }
  link.sendrecv(bytes_of(mine), child, {}, child);
}

}  // namespace

ClockOffset offset_of(std::span<const Exchange> exchanges) {
  BS_REQUIRE(!exchanges.empty(), "an offset needs an exchange");
  const Exchange& best = *std::ranges::min_element(exchanges, {}, round_trip);
  return {0.5 * (best.sent_s + best.received_s) - best.remote_s, 0.5 * round_trip(best)};
}

ClockLine fit_clock(std::span<const double> local_s, std::span<const double> offset_s) {
  BS_REQUIRE(!local_s.empty() && local_s.size() == offset_s.size(), "a clock's line needs as many offsets as times");
  const auto n = static_cast<double>(local_s.size());
  double t = 0.0, o = 0.0, tt = 0.0, to = 0.0;
  for (std::size_t i = 0; i < local_s.size(); ++i) {
    t += local_s[i] / n;
    o += offset_s[i] / n;
  }
  for (std::size_t i = 0; i < local_s.size(); ++i) {
    tt += (local_s[i] - t) * (local_s[i] - t);
    to += (local_s[i] - t) * (offset_s[i] - o);
  }
  const double slope = tt > 0.0 ? to / tt : 0.0;
  return {slope, o - slope * t};
}

ClockOffset synchronise(Link& link, const Clock& clock) {
  ClockOffset mine;
  const auto size = static_cast<unsigned>(link.size()), rank = static_cast<unsigned>(link.rank());
  for (unsigned step = std::bit_ceil(size) / 2; step > 0; step /= 2) {
    if (rank % (2 * step) == 0 && rank + step < size) answer(link, clock, static_cast<int>(rank + step), mine);
    if (rank % (2 * step) == step) mine = ask(link, clock, static_cast<int>(rank - step));
  }
  return mine;
}

}  // namespace bench::jobs
