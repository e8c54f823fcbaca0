// SPDX-License-Identifier: Apache-2.0
// A timer for ranks that talk between devices. When that link fails, it fails on one rank sooner than on another, while the ranks still meet over the link
// between their processes before every sample; a rank that left the series would answer the others with something else. So a failure is kept, the rank
// goes on meeting the others, with samples that mean nothing, and the series' end is where all learn of it.
#pragma once

#include <exception>

#include "jobs/timing/timer.hpp"

namespace bench::jobs {

class FailLater final : public Timer {
 public:
  FailLater(Timer& timer, DeviceLink& link) : timer_(timer), link_(link) {}

  Timed time(std::int64_t calls, const std::function<void()>& run, const std::function<bool()>& gate) override {
    enum class Gate { ahead, inside, behind } at = Gate::ahead;
    const auto meet = [&] {
      at = Gate::inside;
      const bool late = gate();
      at = Gate::behind;
      return late;
    };
    if (!failure_) {
      try {
        return timer_.time(calls, run, meet);
      } catch (const std::exception& error) {
        if (at == Gate::inside) throw;  // of the link between the processes: there is no meeting any more
        failure_ = std::current_exception();
        link_.give_up(concat("this rank left its call: ", error.what()));
      }
    }
    if (at == Gate::ahead) meet();
    return {.call_s = kAnything_s};
  }
  /// At the end of a series.
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

  std::string_view evict(std::span<const std::span<const std::byte>> data) override { return timer_.evict(data); }
  double floor_s() const override { return timer_.floor_s(); }
  double shortest_sample_s() const override { return timer_.shortest_sample_s(); }
  std::int64_t most_calls() const override { return timer_.most_calls(); }
  void* stream() override { return timer_.stream(); }
  std::string device() const override { return timer_.device(); }
  void rest(double seconds) override { timer_.rest(seconds); }

 private:
  static constexpr double kAnything_s = 1.0;  // that statistics can do with
  Timer& timer_;
  DeviceLink& link_;
  std::exception_ptr failure_;
};

}  // namespace bench::jobs
