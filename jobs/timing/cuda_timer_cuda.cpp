// SPDX-License-Identifier: Apache-2.0
// Times work on a CUDA stream: a valve holds the stream while everything is put on it and is opened after the
// common start; the time is what the device's events say. One sample on the stream: valve, clock stamp,
// event, calls, event, clock stamp. nvbench's isolated measurement is the model of that order.
//
// A sample begins, on the host's clock, when the valve is opened: the device sees that within one poll over
// the bus, a microsecond or two. Reading the device's own clock at the start would tell no more, since that
// clock is known to the host only to half a round trip over the same bus.
#include <algorithm>
#include <bit>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "analysis/sample_times.hpp"
#include "analysis/statistics/quantiles.hpp"
#include "jobs/timing/preflight.hpp"
#include "jobs/timing/timer.hpp"
#include "src/device/clock_stamps.hpp"
#include "src/device/device.hpp"
#include "src/device/event.hpp"
#include "src/device/graph.hpp"
#include "src/device/l2_flush.hpp"
#include "src/device/lost_context.hpp"
#include "src/device/queue_depth.hpp"
#include "src/device/stream.hpp"
#include "src/device/valve.hpp"

namespace bench::jobs {
namespace {

constexpr int kFloorSamples = 1001;            // odd: their median is one of them
constexpr double kEventResolution_s = 0.5e-6;  // CUDA's documentation of cudaEventElapsedTime
// Of the queue: valve, stamps and events are 5 entries; the rest is for what a driver adds. What a call takes
// is supposed: where it is more and the queue is full, the sample says so (kSpinTimeout).
constexpr std::int64_t kOwnEntries = 16, kLaunchesPerCall = 8;
constexpr std::chrono::microseconds kBetweenLooks{20};  // while the device works: its own events say how long that took
constexpr std::int64_t kFlushable = 5;  // times L2: beyond, a call leaves little of its own for the next

std::int64_t bytes_of(std::span<const std::span<const std::byte>> data) {
  std::int64_t bytes = 0;
  for (const auto& part : data) bytes += static_cast<std::int64_t>(part.size());
  return bytes;
}

class GraphReplay final : public Replay {
 public:
  GraphReplay(device::GraphExec exec, const device::Stream& stream) : exec_(std::move(exec)), stream_(stream) {}
  void launch() override { exec_.launch(stream_); }
  std::int64_t nodes() const override { return exec_.nodes(); }

 private:
  device::GraphExec exec_;
  const device::Stream& stream_;
};

class CudaTimer final : public Timer {
 public:
  explicit CudaTimer(Clock clock)
      : clock_(std::move(clock)),
        bus_id_(device::properties(device::current()).pci_bus_id),
        l2_bytes_(device::properties(device::current()).l2_bytes),
        valve_(stream_),
        stamps_(stream_),
        most_calls_(calls_in(device::probe_queue_depth(stream_))),
        floor_s_(measure_floor()) {}

  Timed time(std::int64_t calls, const std::function<void()>& run,
             const std::function<bool()>& gate) override {
    const LetGo let_go{*this};
    valve_.close();
    stamps_.begin();
    begin_.record(stream_);
    const double queueing = clock_();
    for (std::int64_t call = 0; call < calls; ++call) run();
    const double queued_s = clock_() - queueing;
    end_.record(stream_);
    stamps_.end();
    const bool late = gate();
    const double begin = clock_();
    valve_.open();
    wait();
    std::int64_t flags = late ? std::int64_t{analysis::kLate} : 0;
    if (valve_.timed_out()) flags |= analysis::kSpinTimeout;
    return {.begin_s = begin,
            .call_s = device::seconds_between(begin_, end_) / static_cast<double>(calls),
            .clock_mhz = stamps_.mhz(),
            .flags = flags,
            .enqueue_s = queued_s / static_cast<double>(calls)};
  }

  /// The sizes of `data` count, not its addresses: those are the host's.
  std::string_view evict(std::span<const std::span<const std::byte>> data) override {
    if (l2_bytes_ == 0) return "none: the driver tells of no L2";
    if (bytes_of(data) > kFlushable * l2_bytes_) return "none: working set over 5 x L2";
    if (!flush_) flush_.emplace();
    flush_->flush(stream_);
    stream_.wait();  // or the valve, and with it the limit on how long it holds, would begin only after the
                     // flush
    return "l2 rewrite+read";
  }

  double floor_s() const override { return floor_s_; }
  /// Events are coarser than the host's clock, and a pair of them costs more than a reading of it.
  double shortest_sample_s() const override {
    return std::max(100.0 * kEventResolution_s, kFloorsToTrust * floor_s_);
  }
  std::int64_t most_calls() const override { return most_calls_; }
  void* stream() override { return stream_.get(); }
  std::string device() const override { return bus_id_; }
  void wait() override {
    if (watched_ == nullptr) return stream_.wait();
    for (; !stream_.idle(); std::this_thread::sleep_for(kBetweenLooks)) watched_->watch();
    watched_->watch();  // a queue that ended because its messages were given up has no answer
  }
  void watch(DeviceLink* link) override { watched_ = link; }
  DeviceMemory memory() const override {
    const device::FreeMemory left = device::free_memory();
    return {device::peak_allocated_bytes(), left.free_bytes, left.total_bytes};
  }
  void forget_peak() override { device::forget_peak(); }
  std::unique_ptr<Replay> capture(const std::function<void()>& run) override {
    return std::make_unique<GraphReplay>(device::capture(stream_, run), stream_);
  }
  void rest(double seconds) override { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

 private:
  /// A run that throws behind a closed valve must not leave the device held, nor at work on memory that the
  /// unwinding frees.
  struct LetGo {
    CudaTimer& timer;
    ~LetGo() {
      timer.valve_.open();
      timer.drain();
    }
  };
  void drain() noexcept {
    try {
      if (watched_ != nullptr && !watched_->broken()) return wait();
    } catch (const std::exception&) {  // the transport is down: what waited for it goes on
    }
    if (watched_ == nullptr || !watched_->memory_in_doubt()) stream_.wait_noexcept();
  }

  /// A power of two, as calls_per_sample wants it.
  static std::int64_t calls_in(std::int64_t depth) {
    const std::int64_t calls = std::max<std::int64_t>(1, (depth - kOwnEntries) / kLaunchesPerCall);
    return static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(calls)));
  }

  /// Pairs of events with nothing between them, in a held stream as in a sample.
  double measure_floor() {
    std::vector<double> empty_s;
    empty_s.reserve(kFloorSamples);
    for (int i = 0; i < kFloorSamples; ++i) {
      valve_.close();
      begin_.record(stream_);
      end_.record(stream_);
      valve_.open();
      stream_.wait();
      empty_s.push_back(device::seconds_between(begin_, end_));
    }
    return analysis::median(analysis::sorted(empty_s));
  }

  Clock clock_;
  std::string bus_id_;
  std::int64_t l2_bytes_;
  device::Stream stream_;
  device::Valve valve_;
  device::Event begin_, end_;
  device::ClockStamps stamps_;
  std::int64_t most_calls_;
  double floor_s_;
  DeviceLink* watched_ = nullptr;
  std::optional<device::L2Flush> flush_;  // made when a case first needs it: it takes memory
};

/// The host's cache is of no interest. A launcher that shows each rank its own device leaves every rank
/// device 0.
std::unique_ptr<Timer> make_cuda_timer(const Clock& clock, std::int64_t, int local_rank) {
  const device::Devices devices = device::probe();
  if (devices.count == 0)
    throw Error(ErrorKind::unavailable, concat("nothing on a device can be timed: ", devices.reason));
  device::select(local_rank % devices.count);
  return std::make_unique<CudaTimer>(clock);
}

const Registrar<TimerMaker> of_one_device{{.name = "cuda", .make = make_cuda_timer, .lost = device::lost_context}};
const Registrar<TimerMaker> of_devices{{.name = "nccl", .make = make_cuda_timer, .lost = device::lost_context}};

}  // namespace
}  // namespace bench::jobs
