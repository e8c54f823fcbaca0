// SPDX-License-Identifier: Apache-2.0
#include "jobs/devices_apart.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "src/comm/link_threads.hpp"
#include "src/core/error.hpp"

namespace bench::jobs {
namespace {

/// How many of three ranks were told that two share a device.
int told(const std::vector<std::string>& device_of) {
  std::atomic<int> refused = 0;
  comm::run_on_threads(3, [&](Link& link) {
    try {
      EXPECT_FALSE(share_a_device(link, device_of[static_cast<std::size_t>(link.rank())], false));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unavailable) << error.what();
      EXPECT_NE(std::string(error.what()).find("0000:3b:00.0"), std::string::npos) << error.what();
      ++refused;
    }
  });
  return refused;
}

TEST(DevicesApart, OneEachIsWellAndAllRanksLearnOfASharedOne) {
  EXPECT_EQ(told({"0000:3b:00.0", "0000:4c:00.0", "0000:5d:00.0"}), 0);
  EXPECT_EQ(told({"0000:3b:00.0", "0000:4c:00.0", "0000:3b:00.0"}), 3);
}

TEST(DevicesApart, WhereTheyMayShareAllRanksKnowWhetherTheyDo) {
  comm::run_on_threads(3, [](Link& link) {
    EXPECT_TRUE(share_a_device(link, link.rank() == 1 ? "0000:4c:00.0" : "0000:3b:00.0", true));
    EXPECT_FALSE(share_a_device(link, std::to_string(link.rank()), true));
  });
}

}  // namespace
}  // namespace bench::jobs
