// SPDX-License-Identifier: Apache-2.0
// A /proc and a /sys of our own making, below a folder that goes with the test.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "src/system/cpu_telemetry.hpp"

namespace bench::system {

class KernelFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "telemetry_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  /// Writes `text` to proc/... or sys/...
  void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  TelemetryFiles files() const { return {(root_ / "proc").string(), (root_ / "sys").string()}; }

 private:
  std::filesystem::path root_;
};

}  // namespace bench::system
