// SPDX-License-Identifier: Apache-2.0
#include "jobs/link_rates.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "jobs/team.hpp"

namespace bench::jobs {
namespace {

constexpr std::size_t kSmall = 8,
                      kLarge = std::size_t{4}
                               << 20;  // bytes: below any eager limit, and beyond any cache of messages
constexpr int kSmallExchanges = 32,
              kLargeExchanges = 4;  // a try of some 100 us and of some ms: many clock steps
constexpr int kTries = 5;
constexpr double kClockFloor_s = 1e-9;  // a clock that stands still must not divide by zero

/// Seconds of one exchange of so many bytes: the slowest rank's mean over a try, of the try in which that was
/// least.
double exchange_s(Link& link, const Clock& clock, std::size_t bytes, int exchanges) {
  const std::vector<std::byte> out(bytes, std::byte{1});
  std::vector<std::byte> in(bytes);
  const int next = (link.rank() + 1) % link.size(), previous = (link.rank() + link.size() - 1) % link.size();
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i <= kTries; ++i) {
    link.barrier();
    const double begin = clock();
    for (int k = 0; k < exchanges; ++k) link.sendrecv(out, next, in, previous);
    const double mine = (clock() - begin) / exchanges;
    const auto all = all_of(link, mine);
    if (i > 0)
      best =
          std::min(best, *std::max_element(all.begin(), all.end()));  // the first try makes the connections
  }
  return std::max(best, kClockFloor_s);
}

}  // namespace

LinkRates measure_link(Link& link, const Clock& clock) {
  if (link.size() == 1) return {};
  const double small_s = exchange_s(link, clock, kSmall, kSmallExchanges);
  const double large_s = exchange_s(link, clock, kLarge, kLargeExchanges);
  return {small_s, static_cast<double>(kLarge) / std::max(large_s - small_s, kClockFloor_s)};
}

}  // namespace bench::jobs
