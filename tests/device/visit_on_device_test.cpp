// SPDX-License-Identifier: Apache-2.0
// A whole visit of a kernel of the cuda backend: on a device, and where there is none.
#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "analysis/sample_times.hpp"
#include "jobs/harness.hpp"
#include "src/comm/link_self.hpp"
#include "tests/device/with_device.hpp"
#include "tests/jobs/toy_kernels.hpp"

namespace bench::jobs {
namespace {

using VisitOnDevice = device::test::WithDevice;

/// 32 to 64 samples: enough for every rule, a fraction of a second.
analysis::VisitRecord visit(const std::string& kernel, const char* cache = nullptr, bool graph = false) {
  scaling::Case c = toy::make_case(kernel, 1);
  if (cache != nullptr) c.params["cache"] = std::string(cache);
  if (graph) c.params["graph"] = true;
  comm::LinkSelf link;
  Harness harness({.warmup = 2,
                   .warmup_time = 0.0,
                   .min_samples = 32,
                   .max_samples = 64,
                   .min_time = 0.0,
                   .budget = 10.0},
                  {.clock = steady_clock()});
  return harness.visit(c, link);
}

TEST(Visit, OfADevicesKernelWithoutADeviceIsARowWithCudasWords) {
  const device::Devices devices = device::probe();
  if (devices.count > 0) GTEST_SKIP() << "there is a device";
  const auto record = visit("toy/right_cuda");
  EXPECT_EQ(record.outcome, Outcome::skipped);
  EXPECT_NE(record.reason.find(devices.reason), std::string::npos) << record.reason;
  EXPECT_TRUE(record.rank_time_s.empty());
}

TEST_F(VisitOnDevice, ChecksAndTimesWhatTheDeviceDid) {
  const auto record = visit("toy/right_cuda");
  ASSERT_EQ(record.outcome, Outcome::ok) << record.reason;
  EXPECT_GE(record.rank_time_s.size(), 32U);
  EXPECT_GT(record.timer_floor_s, 0.0);
  EXPECT_GT(record.calls_per_sample, 1)
      << "a launch of 32 threads is shorter than the 50 us that events can tell";
  EXPECT_EQ(std::ranges::count_if(record.flags,
                                  [](std::int64_t flags) { return (flags & analysis::kSpinTimeout) != 0; }),
            0);
}

TEST_F(VisitOnDevice, NeverTimesAWrongResult) {
  const auto record = visit("toy/wrong_cuda");
  EXPECT_EQ(record.outcome, Outcome::wrong_result) << "the check waits for the device";
  EXPECT_TRUE(record.rank_time_s.empty());
}

TEST_F(VisitOnDevice, OfAColdCaseFlushesBeforeEverySingleCall) {
  const auto record = visit("toy/right_cuda", "cold");
  ASSERT_EQ(record.outcome, Outcome::ok) << record.reason;
  EXPECT_EQ(record.calls_per_sample, 1);
  EXPECT_FALSE(record.cold_method.empty());
}

TEST_F(VisitOnDevice, OfACapturedCallTimesItsReplays) {
  const auto record = visit("toy/right_cuda", nullptr, true);
  ASSERT_EQ(record.outcome, Outcome::ok) << record.reason;
  EXPECT_EQ(record.graph_nodes, 1) << "one kernel";
  EXPECT_GE(record.rank_time_s.size(), 32U);
  EXPECT_FALSE(record.checks.empty()) << "what a replay leaves is checked";
}

/// In a process of its own, whose context is lost then: the style starts the program anew for it.
TEST_F(VisitOnDevice, OfAKernelThatFaultsIsARowAndTheEndOfItsProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto visit_it = [] {
    const auto record = visit("toy/faulting_cuda");
    std::cerr << to_text(record.outcome) << ", " << record.reason;
    std::exit(record.outcome == Outcome::crashed && record.ended_process ? 0 : 1);
  };
  EXPECT_EXIT(visit_it(), ::testing::ExitedWithCode(0), "context is lost");
}

TEST_F(VisitOnDevice, SaysWhatACallCostsTheHostAndTheDevicesMemory) {
  const auto record = visit("toy/right_cuda");
  ASSERT_EQ(record.outcome, Outcome::ok) << record.reason;
  EXPECT_GT(record.enqueue_s, 0.0);
  EXPECT_GE(record.device_peak_bytes, 2 * 10 * 4) << "x and out, ten floats each";
  EXPECT_GT(record.device_total_bytes, record.device_free_bytes);
  EXPECT_GT(record.device_free_bytes, 0);
  EXPECT_FALSE(record.ended_process);
}

}  // namespace
}  // namespace bench::jobs
