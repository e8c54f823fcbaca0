// SPDX-License-Identifier: Apache-2.0
#include "jobs/link_rates.hpp"

#include <gtest/gtest.h>

#include "jobs/timing/synthetic.hpp"
#include "src/comm/link_self.hpp"
#include "src/comm/link_threads.hpp"

namespace bench::jobs {
namespace {

/// In synthetic time a message takes 2 us whatever its length, so all of the large one is latency.
TEST(LinkRates, AreTheSameOnEveryRankAndSeeTheLatency) {
  for (const int ranks : {2, 3}) {  // two: next and previous are the same rank
    std::vector<LinkRates> seen(static_cast<std::size_t>(ranks));
    comm::run_on_threads(ranks, [&](Link& inner) {
      SyntheticClock clock(1e-9, {});
      SyntheticLink link(inner, clock, 2e-6);
      seen[static_cast<std::size_t>(link.rank())] = measure_link(link, clock);
    });
    for (const LinkRates& rates : seen) {
      EXPECT_NEAR(rates.latency_s, 2e-6, 1e-8);
      EXPECT_GT(rates.bytes_per_s, 1e12);
      EXPECT_EQ(rates.bytes_per_s, seen.front().bytes_per_s);
    }
  }
}

TEST(LinkRates, OfOneRankAreUnknown) {
  comm::LinkSelf self;
  const LinkRates rates = measure_link(self, [] { return 0.0; });
  EXPECT_EQ(rates.latency_s, 0.0);
  EXPECT_EQ(rates.bytes_per_s, 0.0);
}

}  // namespace
}  // namespace bench::jobs
