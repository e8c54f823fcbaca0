// SPDX-License-Identifier: Apache-2.0
// The timed part of a visit: samples in batches up to the stop rule's next look, all ranks started together, everything that was seen kept.
// What ends or extends the loop is decided by rank 0 and told to the others; a rank that decided alone would leave them waiting.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "analysis/record.hpp"
#include "analysis/statistics/stop.hpp"
#include "jobs/clock.hpp"
#include "jobs/timing/start_gate.hpp"
#include "jobs/timing/timer.hpp"
#include "src/core/link.hpp"

namespace bench::jobs {

/// How a case is to be sampled; the same on every rank.
struct Protocol {
  analysis::StopRule rule;
  std::int64_t calls = 1;     // per sample
  double call_s = 0.0;        // one call, as the warm-up saw it
  Sync sync = Sync::none;
  bool cut_warmup = true;     // leave out what MSER finds unsettled at the front
  double floor_s = 0.0;       // what the timer measures when nothing is timed
};

/// What is sampled on this rank.
struct Workload {
  std::function<void()> run;
  std::vector<std::span<const std::byte>> evicted{};  // dropped from the caches before every sample, untimed; empty: they stay warm
};

class Sampler {
 public:
  Sampler(Link& link, Clock clock, Timer& timer, Protocol protocol, Workload workload);
  /// Collective. Fills the record's samples, flags, starts, stop reason, tau and clock bound on every rank.
  void measure(analysis::VisitRecord& record);

 private:
  struct Order {
    std::int64_t samples;
    analysis::StopReason reason;
    double rest_s = 0.0;  // before those samples
  };
  std::vector<Timed> take(std::int64_t count, analysis::VisitRecord& record);
  void note_queueing(const std::vector<Timed>& all, std::int64_t count);
  void append(const std::vector<Timed>& all, std::int64_t count, analysis::VisitRecord& record);
  void mark(analysis::VisitRecord& record);
  Order decide(const analysis::VisitRecord& record) const;
  void plan_rest(const analysis::VisitRecord& record, std::int64_t latest);
  analysis::StopReason final_reason(analysis::StopReason reason, const std::vector<double>& valid) const;
  void watch_clocks();
  void relate_starts(analysis::VisitRecord& record) const;

  Link& link_;
  Clock clock_;
  Timer& timer_;
  Protocol protocol_;
  Workload workload_;
  std::optional<StartGate> gate_;
  double begin_s_ = 0.0;
  std::vector<ClockLine> lines_;       // per rank: its clock against rank 0's
  std::vector<double> seen_s_, offset_s_;  // this rank's local times of synchronisation and the offsets then
  double bound_s_ = 0.0;
  std::vector<double> begins_s_, clocks_mhz_;  // [n, ranks], each on its rank's own clock
  std::vector<double> enqueue_s_;      // of the samples, on a device
  bool unsteady_ = false, throttled_ = false;
  std::int64_t retries_ = 0;
  bool accept_ = false;                // too many samples were disturbed: take them as they are
  double rest_s_ = 0.0;                // before the next samples: a device that throttles is let recover
};

}  // namespace bench::jobs
