// SPDX-License-Identifier: Apache-2.0
// A test that needs a GPU, and says why it did not run where there is none.
#pragma once

#include <gtest/gtest.h>

#include "src/device/device.hpp"

namespace bench::device::test {

class WithDevice : public ::testing::Test {
 protected:
  void SetUp() override {
    const Devices devices = probe();
    if (devices.count == 0) GTEST_SKIP() << devices.reason;
  }
};

}  // namespace bench::device::test
