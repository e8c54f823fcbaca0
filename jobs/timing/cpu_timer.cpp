// SPDX-License-Identifier: Apache-2.0
#include "analysis/sample_times.hpp"
#include "jobs/timing/cold_cache.hpp"
#include "jobs/timing/preflight.hpp"
#include "jobs/timing/timer.hpp"

#include <optional>

template <>
bench::Registry<bench::jobs::TimerMaker>& bench::Registry<bench::jobs::TimerMaker>::instance() {
  static Registry registry;
  return registry;
}

namespace bench::jobs {
namespace {

class CpuTimer final : public Timer {
 public:
  CpuTimer(Clock clock, std::int64_t cache_bytes) : clock_(std::move(clock)), cache_bytes_(cache_bytes), floor_(measure_timer(clock_)) {}

  Timed time(std::int64_t calls, const std::function<void()>& run, const std::function<bool()>& gate) override {
    const bool late = gate();
    const double begin = clock_();
    for (std::int64_t call = 0; call < calls; ++call) run();
    const double spent = clock_() - begin;
    return {.begin_s = begin, .call_s = spent / static_cast<double>(calls), .flags = late ? std::int64_t{analysis::kLate} : 0};
  }

  std::string_view evict(std::span<const std::span<const std::byte>> data) override {
    if (!cold_cache_) cold_cache_.emplace(static_cast<std::size_t>(cache_bytes_));
    cold_cache_->evict(data);
    return ColdCache::method();
  }

  double floor_s() const override { return floor_.overhead_s; }
  double shortest_sample_s() const override { return jobs::shortest_sample_s(floor_); }

 private:
  Clock clock_;
  std::int64_t cache_bytes_;
  TimerFloor floor_;
  std::optional<ColdCache> cold_cache_;
};

}  // namespace

std::unique_ptr<Replay> Timer::capture(const std::function<void()>&) {
  throw Error(ErrorKind::unavailable, "graph: only what a device does can be captured");
}

std::unique_ptr<Timer> make_timer(Backend backend, const Clock& clock, std::int64_t cache_bytes, int local_rank) {
  const std::string name(to_text(backend));
  if (const TimerMaker* maker = Registry<TimerMaker>::instance().find(name)) return maker->make(clock, cache_bytes, local_rank);
  if (backend == Backend::cuda || backend == Backend::nccl) throw Error(ErrorKind::unavailable, concat("this build has no timer for ", name));
  return std::make_unique<CpuTimer>(clock, cache_bytes);
}

std::string device_lost(Backend backend) {
  const TimerMaker* maker = Registry<TimerMaker>::instance().find(std::string(to_text(backend)));
  return maker != nullptr && maker->lost != nullptr ? maker->lost() : std::string();
}

std::string why_lost(Backend backend, const DeviceLink* link) {
  if (link == nullptr || !link->memory_in_doubt()) return device_lost(backend);
  return "the device does not leave the work of a communicator that was aborted";
}

}  // namespace bench::jobs
