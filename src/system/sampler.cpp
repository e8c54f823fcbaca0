// SPDX-License-Identifier: Apache-2.0
#include "src/system/sampler.hpp"

#include <sched.h>

#include <chrono>
#include <cstring>
#include <ctime>

#include "src/core/error.hpp"

namespace bench::system {
namespace {

using SteadyClock = std::chrono::steady_clock;

double thread_cpu_time_s() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// Asks for every core; the kernel gives those that our control groups allow. When it refuses, the inherited
// binding stays, which costs accuracy and nothing else.
void unbind_this_thread() {
  cpu_set_t all;
  std::memset(&all, 0xff, sizeof(all));
  sched_setaffinity(0, sizeof(all), &all);
}

}  // namespace

Sampler::Sampler(std::function<Reading()> read, double period_s)
    : read_(std::move(read)),
      period_(std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(period_s))) {
  BS_REQUIRE(period_s > 0.0, "a sampler's period must be positive, not ", period_s, " s");
}

Sampler::~Sampler() {
  try {
    stop();
  } catch (...) {  // a destructor has nobody to tell
  }
}

void Sampler::start() {
  BS_REQUIRE(!running(), "the sampler runs already");
  readings_.clear();
  failure_ = nullptr;
  stopping_ = false;
  thread_ = std::thread([this] { loop(); });
}

bool Sampler::wait_until(SteadyClock::time_point due) {
  std::unique_lock lock(mutex_);
  return !wake_.wait_until(lock, due, [this] { return stopping_; });
}

void Sampler::loop() {
  unbind_this_thread();
  try {
    auto due = SteadyClock::now();
    do {
      const double now_s = std::chrono::duration<double>(SteadyClock::now().time_since_epoch()).count();
      readings_.push_back({now_s, read_()});
      // A machine that was held up skips the readings it missed instead of catching up in a burst.
      for (const auto now = SteadyClock::now(); due <= now;) due += period_;
    } while (wait_until(due));
  } catch (...) {
    failure_ = std::current_exception();
  }
  cpu_time_s_ = thread_cpu_time_s();
}

std::vector<TimedReading> Sampler::stop() {
  if (!running()) return {};
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
  if (failure_) std::rethrow_exception(failure_);
  return std::move(readings_);
}

}  // namespace bench::system
