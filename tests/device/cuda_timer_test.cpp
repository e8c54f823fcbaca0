// SPDX-License-Identifier: Apache-2.0
// The timer of the cuda backend: registered in every build with CUDA, usable where there is a device.
#include <cuda_runtime_api.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "analysis/sample_times.hpp"
#include "jobs/timing/timer.hpp"
#include "src/device/buffer.hpp"
#include "src/device/check.hpp"
#include "tests/device/with_device.hpp"

namespace bench::jobs {
namespace {

constexpr std::int64_t kHostCache_bytes = 1 << 20;  // of no meaning to it

using CudaTimerOnDevice = device::test::WithDevice;

bool at_once() {
  return false;
}
void nothing() {}

/// Filling memory on the timer's stream: work of some microseconds that needs no kernel of ours.
class SomeWork {
 public:
  explicit SomeWork(Timer& timer) : stream_(static_cast<cudaStream_t>(timer.stream())), data_(kBytes) {}
  void operator()() const {
    BS_CUDA(cudaMemsetAsync(data_.data(), 0, static_cast<std::size_t>(kBytes), stream_));
  }

 private:
  static constexpr std::int64_t kBytes = 64 << 20;  // about 20 us at 3 TB/s: far above an event pair
  cudaStream_t stream_;
  device::DeviceBuffer data_;
};

TEST(CudaTimer, IsRegistered) {
  EXPECT_NE(Registry<TimerMaker>::instance().find("cuda"), nullptr);
}

TEST(CudaTimer, WithoutADeviceIsUnavailableInWords) {
  const device::Devices devices = device::probe();
  if (devices.count > 0) GTEST_SKIP() << "there is a device";
  try {
    make_timer(Backend::cuda, steady_clock(), kHostCache_bytes);
    FAIL() << "a timer without a device";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_NE(std::string(error.what()).find(devices.reason), std::string::npos) << error.what();
  }
}

TEST_F(CudaTimerOnDevice, QueuesBeforeTheGateAndTimesTheDevice) {
  const auto timer = make_timer(Backend::cuda, steady_clock(), kHostCache_bytes);
  const SomeWork work(*timer);
  work();
  timer->wait();
  constexpr std::int64_t kCalls = 4;                        // fits any queue
  constexpr auto kSlowHost = std::chrono::milliseconds(5);  // a hundred times what the work takes
  std::int64_t made = 0, made_at_gate = -1;
  const auto run = [&] {
    std::this_thread::sleep_for(kSlowHost);
    work();
    ++made;
  };
  const auto gate = [&] {
    made_at_gate = made;
    return false;
  };
  const Timed timed = timer->time(kCalls, run, gate);
  EXPECT_EQ(made_at_gate, kCalls) << "all calls are queued when the gate is asked";
  EXPECT_EQ(timed.flags, 0);
  EXPECT_GT(timed.call_s, 0.0);
  EXPECT_LT(timed.call_s, std::chrono::duration<double>(kSlowHost).count())
      << "what queueing takes is not in it";
  EXPECT_FALSE(timed.clock_mhz <= 0.0) << "positive, or not known";
}

TEST_F(CudaTimerOnDevice, FlagsALateStart) {
  const auto timer = make_timer(Backend::cuda, steady_clock(), kHostCache_bytes);
  const auto too_late = [] { return true; };
  EXPECT_EQ(timer->time(1, nothing, too_late).flags, analysis::kLate);
}

TEST_F(CudaTimerOnDevice, FlagsARunThatWaitsForTheDevice) {
  const auto timer = make_timer(Backend::cuda, steady_clock(), kHostCache_bytes);
  const auto waiting = [&] { timer->wait(); };  // 2 s, then the valve lets go
  EXPECT_EQ(timer->time(1, waiting, at_once).flags, analysis::kSpinTimeout);
  EXPECT_EQ(timer->time(1, nothing, at_once).flags, 0) << "and only that sample";
}

TEST_F(CudaTimerOnDevice, LeavesNothingHeldWhenARunThrows) {
  const auto timer = make_timer(Backend::cuda, steady_clock(), kHostCache_bytes);
  const auto broken = [] { throw std::runtime_error("broken"); };
  EXPECT_THROW(timer->time(1, broken, at_once), std::runtime_error);
  timer->wait();
  EXPECT_EQ(timer->time(1, nothing, at_once).flags, 0);
}

TEST_F(CudaTimerOnDevice, KnowsItsFloorAndItsQueue) {
  const auto timer = make_timer(Backend::cuda, steady_clock(), kHostCache_bytes);
  EXPECT_GE(timer->floor_s(), 0.0);
  EXPECT_LT(timer->floor_s(), 1e-3) << "two events side by side";
  EXPECT_GE(timer->shortest_sample_s(), 50e-6) << "100 times the resolution of an event";
  const std::int64_t most = timer->most_calls();
  EXPECT_GE(most, 1);
  const SomeWork work(*timer);
  work();
  timer->wait();
  const auto run = [&] { work(); };
  EXPECT_EQ(timer->time(most, run, at_once).flags, 0) << most << " calls fit";
}

TEST_F(CudaTimerOnDevice, TakesTheNodesDevicesInTurn) {
  const int count = device::probe().count;
  for (const int local_rank :
       {count - 1, count}) {  // the last rank with a device of its own, and the first without
    const auto timer = make_timer(Backend::cuda, steady_clock(), kHostCache_bytes, local_rank);
    EXPECT_EQ(device::current(), local_rank % count);
  }
}

TEST_F(CudaTimerOnDevice, EvictsOnlyWhatCouldStay) {
  const auto timer = make_timer(Backend::cuda, steady_clock(), kHostCache_bytes);
  const std::byte here{};
  const std::int64_t l2 = device::properties(device::current()).l2_bytes;
  if (l2 == 0) GTEST_SKIP() << "the driver tells of no L2 cache";
  // The addresses are the host's copies and are not read: only the sizes count.
  const std::vector<std::span<const std::byte>> small{{&here, 1}};
  const std::vector<std::span<const std::byte>> big{{&here, static_cast<std::size_t>(5 * l2 + 1)}};
  EXPECT_EQ(timer->evict(small), "l2 rewrite+read");
  EXPECT_EQ(timer->evict(big), "none: working set over 5 x L2");
}

}  // namespace
}  // namespace bench::jobs
