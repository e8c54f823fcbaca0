// SPDX-License-Identifier: Apache-2.0
#include "jobs/sampler.hpp"

#include <algorithm>
#include <limits>
#include <span>

#include "analysis/sample_times.hpp"
#include "analysis/statistics/quantiles.hpp"
#include "analysis/statistics/throttle.hpp"
#include "analysis/statistics/warmup_cut.hpp"
#include "jobs/team.hpp"
#include "jobs/timing/preflight.hpp"

namespace bench::jobs {
namespace {

using analysis::StopReason;

constexpr double kOverrun = 3.0;       // times the expected duration
constexpr double kRetryShare = 0.2;    // of the samples: more disturbed ones than that are the machine's normal state
constexpr std::size_t kEnoughToTell = 10;
constexpr double kFirstRest_s = 0.05, kRestGrowth = 1.5, kLongestRest_s = 0.5;  // 50 ms is nvbench's default

}  // namespace

Sampler::Sampler(Link& link, Clock clock, Timer& timer, Protocol protocol, Workload workload)
    : link_(link), clock_(std::move(clock)), timer_(timer), protocol_(std::move(protocol)), workload_(std::move(workload)) {}

/// Brings every rank's clock line up to date: offsets at the first and the last look, linear drift between.
void Sampler::watch_clocks() {
  const ClockOffset offset = synchronise(link_, clock_);
  seen_s_.push_back(clock_());
  offset_s_.push_back(offset.offset_s);
  lines_ = all_of(link_, fit_clock(seen_s_, offset_s_));
  const auto bounds = all_of(link_, offset.bound_s);
  bound_s_ = std::max(bound_s_, std::ranges::max(bounds));
}

std::vector<Timed> Sampler::take(std::int64_t count, analysis::VisitRecord& record) {
  std::vector<Timed> mine;
  mine.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    if (!workload_.evicted.empty()) record.cold_method = std::string(timer_.evict(workload_.evicted));
    mine.push_back(timer_.time(protocol_.calls, workload_.run, [&] { return gate_->wait(); }));
  }
  return mine;
}

/// What queueing a call costs the host, of the slowest rank in each sample. `all` is rank-major. Host kernels queue nothing.
void Sampler::note_queueing(const std::vector<Timed>& all, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    double slowest = 0.0;
    for (std::int64_t r = 0; r < link_.size(); ++r) {
      const double one = all[static_cast<std::size_t>(r * count + i)].enqueue_s;
      if (one > slowest) slowest = one;
    }
    if (slowest > 0.0) enqueue_s_.push_back(slowest);
  }
}

/// `all` is rank-major; the record is sample-major. A flag of any rank is the sample's flag.
void Sampler::append(const std::vector<Timed>& all, std::int64_t count, analysis::VisitRecord& record) {
  bool late = false;
  note_queueing(all, count);
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t flags = 0;
    double slowest = 0.0;
    for (std::int64_t r = 0; r < link_.size(); ++r) {
      const Timed& sample = all[static_cast<std::size_t>(r * count + i)];
      record.rank_time_s.push_back(sample.call_s);
      begins_s_.push_back(sample.begin_s);
      clocks_mhz_.push_back(sample.clock_mhz);
      flags |= sample.flags;
      slowest = std::max(slowest, sample.call_s);
    }
    if (slowest > kOverrun * protocol_.call_s) flags |= analysis::kOverrun;
    late |= (flags & analysis::kLate) != 0;
    record.flags.push_back(flags);
  }
  if (late) gate_->lengthen();
}

/// Starts relative to the sample's earliest one, on rank 0's clock.
void Sampler::relate_starts(analysis::VisitRecord& record) const {
  const auto ranks = static_cast<std::size_t>(link_.size());
  if (ranks == 1) return;
  record.rank_start_s.resize(begins_s_.size());
  for (std::size_t i = 0; i < begins_s_.size(); i += ranks) {
    double first = std::numeric_limits<double>::infinity();
    for (std::size_t r = 0; r < ranks; ++r) first = std::min(first, record.rank_start_s[i + r] = lines_[r].global(begins_s_[i + r]));
    for (std::size_t r = 0; r < ranks; ++r) record.rank_start_s[i + r] -= first;
  }
  record.clock_bound_s = bound_s_;
}

/// Flags that need the whole series: throttled clocks and the unsettled front. Worked out anew at each look.
void Sampler::mark(analysis::VisitRecord& record) {
  relate_starts(record);
  const auto ranks = static_cast<std::size_t>(link_.size());
  for (std::int64_t& flags : record.flags) flags &= ~(analysis::kThrottled | analysis::kWarmup | analysis::kClockBound);
  for (std::size_t r = 0; r < ranks; ++r) {
    std::vector<double> clocks;
    for (std::size_t i = r; i < clocks_mhz_.size(); i += ranks) clocks.push_back(clocks_mhz_[i]);
    const std::vector<bool> slow = analysis::throttled(clocks);
    for (std::size_t i = 0; i < slow.size(); ++i)
      if (slow[i]) record.flags[i] |= analysis::kThrottled;
  }
  if (ranks > 1 && !analysis::uses_common_clock(record))
    for (std::int64_t& flags : record.flags) flags |= analysis::kClockBound;
  constexpr std::int64_t kDisturbed = analysis::kNotValid & ~analysis::kWarmup;
  retries_ = std::ranges::count_if(record.flags, [](std::int64_t flags) { return (flags & kDisturbed) != 0; });
  throttled_ = std::ranges::any_of(record.flags, [](std::int64_t flags) { return (flags & analysis::kThrottled) != 0; });
  accept_ = record.flags.size() >= kEnoughToTell && static_cast<double>(retries_) > kRetryShare * static_cast<double>(record.flags.size());
  if (!protocol_.cut_warmup) return;
  const analysis::WarmupCut cut = analysis::warmup_cut(analysis::sample_times(record));
  unsteady_ = cut.unsteady;
  if (unsteady_) return;  // half of the series is not a warm-up
  for (std::size_t i = 0; i < static_cast<std::size_t>(cut.samples); ++i) record.flags[i] |= analysis::kWarmup;
}

/// What the number has to be read with, in this order: a disturbed machine, a clock that is too coarse, a series that never settled.
StopReason Sampler::final_reason(StopReason reason, const std::vector<double>& valid) const {
  if (accept_) return throttled_ ? StopReason::throttled : StopReason::unsteady;
  if (analysis::median(analysis::sorted(valid)) * static_cast<double>(protocol_.calls) < kFloorsToTrust * protocol_.floor_s)
    return StopReason::floor_limited;
  if (reason == StopReason::converged) return reason;
  // Whatever the front half did: a second half that still moves is a drift, one that is level came after a change.
  const auto later = std::span(valid).subspan(unsteady_ ? valid.size() / 2 : 0);
  if (analysis::is_drifting(later, protocol_.rule)) return StopReason::drift;
  return unsteady_ ? StopReason::unsteady : reason;
}

/// After throttled ones among the `latest` samples the device rests, longer each time in a row. Not once the clock it has is accepted as its usual one.
void Sampler::plan_rest(const analysis::VisitRecord& record, std::int64_t latest) {
  const bool slow = std::any_of(record.flags.end() - latest, record.flags.end(), [](std::int64_t flags) { return (flags & analysis::kThrottled) != 0; });
  if (!slow || accept_)
    rest_s_ = 0.0;
  else
    rest_s_ = rest_s_ == 0.0 ? kFirstRest_s : std::min(kRestGrowth * rest_s_, kLongestRest_s);
}

Sampler::Order Sampler::decide(const analysis::VisitRecord& record) const {
  const double elapsed = clock_() - begin_s_;
  if (record.flags.empty()) {
    const double first = protocol_.call_s * static_cast<double>(protocol_.calls);
    return {analysis::next_batch(0, elapsed, first, protocol_.rule), StopReason::keep_going};
  }
  std::vector<double> valid = accept_ ? analysis::sample_times(record) : analysis::valid_times(record);
  const StopReason reason = analysis::decide(valid, elapsed, protocol_.rule);
  const std::int64_t more = analysis::next_batch(valid.size(), elapsed, elapsed / static_cast<double>(record.flags.size()), protocol_.rule);
  return {more, reason == StopReason::keep_going ? reason : final_reason(reason, valid), rest_s_};
}

void Sampler::measure(analysis::VisitRecord& record) {
  record.calls_per_sample = protocol_.calls;
  record.timer_floor_s = protocol_.floor_s;
  if (link_.size() > 1) watch_clocks();
  gate_.emplace(link_, clock_, lines_.empty() ? ClockLine{} : lines_[static_cast<std::size_t>(link_.rank())], protocol_.sync);
  record.sync = std::string(to_text(gate_->sync()));
  begin_s_ = clock_();
  for (;;) {
    const double look = clock_();
    const Order mine = link_.rank() == 0 ? decide(record) : Order{};
    record.decide_s += clock_() - look;
    const Order order = from_root(link_, mine);
    if (order.reason != StopReason::keep_going) {
      record.stop_reason = std::string(analysis::to_text(order.reason));
      break;
    }
    if (order.rest_s > 0.0) timer_.rest(order.rest_s);
    append(gather_all(link_, take(order.samples, record)), order.samples, record);
    const double begin = clock_();
    mark(record);
    plan_rest(record, order.samples);
    record.decide_s += clock_() - begin;
  }
  record.measure_s = clock_() - begin_s_;
  if (!enqueue_s_.empty()) record.enqueue_s = analysis::median(analysis::sorted(enqueue_s_));
  if (link_.size() > 1) watch_clocks();
  mark(record);
}

}  // namespace bench::jobs
