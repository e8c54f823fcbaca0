// SPDX-License-Identifier: Apache-2.0
#include "src/system/nvidia_driver.hpp"

#include <gtest/gtest.h>

namespace bench::system {
namespace {

TEST(NvidiaDriver, IsTheFirstVersionOfTheFirstLine) {
  EXPECT_EQ(driver_version_in("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.161.08  Sat Feb 24 22:53:57 UTC 2024\nGCC version:  gcc 12.3.0\n"),
            "535.161.08");
  EXPECT_EQ(driver_version_in("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.82.07  Release Build  (builder@host)"), "580.82.07")
      << "x86_64 is no version";
}

TEST(NvidiaDriver, IsEmptyWhereNothingIsSaidOfIt) {
  EXPECT_EQ(driver_version_in(""), "");
  EXPECT_EQ(driver_version_in("NVRM version: unknown\nGCC version:  gcc 12.3.0\n"), "") << "the compiler's is not the driver's";
}

}  // namespace
}  // namespace bench::system
