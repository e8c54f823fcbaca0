// SPDX-License-Identifier: Apache-2.0
// Time without waiting: a clock that stands still until something takes time, work that takes scripted time, and a link that carries time
// between ranks as messages do. With them every rule of the harness runs in a test exactly as it runs on a cluster.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "src/core/link.hpp"

namespace bench::jobs {

/// One rank's view of the one true time. A copy shares the time with its original.
class SyntheticClock {
 public:
  struct Skew {
    double offset_s = 0.0;  // reading - true time at 0
    double drift = 0.0;     // seconds gained per second
  };
  /// Every reading takes `tick_s` of true time, so that a loop that reads the clock ends.
  explicit SyntheticClock(double tick_s = 25e-9) : SyntheticClock(tick_s, Skew{}) {}
  SyntheticClock(double tick_s, Skew skew) : tick_s_(tick_s), skew_(skew), true_s_(std::make_shared<double>(0.0)) {}

  double operator()() {
    *true_s_ += tick_s_;
    return skew_.offset_s + (1.0 + skew_.drift) * *true_s_;
  }
  void advance(double seconds) { *true_s_ += seconds; }
  double true_s() const { return *true_s_; }
  /// Not before `true_s`: something that happened then is waited for.
  void catch_up(double true_s) {
    if (true_s > *true_s_) *true_s_ = true_s;
  }

 private:
  double tick_s_;
  Skew skew_;
  std::shared_ptr<double> true_s_;
};

/// A link whose calls take time: a message arrives `latency_s` after it was sent, and nobody leaves a collective before the last has come.
/// The true time of the sender travels with each message.
class SyntheticLink final : public Link {
 public:
  SyntheticLink(Link& inner, SyntheticClock clock, double latency_s) : inner_(inner), clock_(std::move(clock)), latency_s_(latency_s) {}
  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  std::unique_ptr<Transfer> post(std::span<const std::byte> out, int to, std::span<std::byte> in, int from) override;
  void progress() override { inner_.progress(); }
  void allgather(std::span<const std::byte> mine, std::span<std::byte> all) override;
  void barrier() override { allgather({}, {}); }

 private:
  Link& inner_;
  SyntheticClock clock_;
  double latency_s_;
};

/// Durations to order: median * exp(sd * z_i) with AR(1) noise z of correlation phi, times a warm-up ramp and a linear drift. Seeded.
struct Script {
  double median_s = 1e-3;
  double sd_log = 0.0;      // of the logarithm: about the coefficient of variation
  double phi = 0.0;         // correlation of neighbours
  double ramp = 0.0;        // the first call takes 1 + ramp as long; falls linearly over ramp_calls
  std::int64_t ramp_calls = 0;
  double drift_per_call = 0.0;  // of the median
  std::uint64_t seed = 1;
};
/// The duration of call 0, 1, 2, ... of the script in seconds.
std::function<double()> scripted_durations(const Script& script);

}  // namespace bench::jobs
