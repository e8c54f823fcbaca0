// SPDX-License-Identifier: Apache-2.0
#include "jobs/engine/watchdog.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace bench::jobs {
namespace {

TEST(Watchdog, BitesWhatTakesTooLong) {
  std::promise<void> bitten;
  Watchdog dog([&] { bitten.set_value(); });
  const Armed armed(dog, 0.01);
  // Ten thousand times the limit: a loaded machine is late, not never.
  EXPECT_EQ(bitten.get_future().wait_for(std::chrono::seconds(100)), std::future_status::ready);
}

TEST(Watchdog, LetsGoWhatIsDoneInTimeAlsoWhenArmedAnew) {
  std::atomic<int> bites = 0;
  {
    Watchdog dog([&] { ++bites; });
    for (int visit = 0; visit < 100; ++visit) const Armed armed(dog, 1000.0);
  }
  EXPECT_EQ(bites, 0) << "and its end does not wait for the armed time";
}

}  // namespace
}  // namespace bench::jobs
