// SPDX-License-Identifier: Apache-2.0
#include "jobs/harness.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <new>

#include "analysis/statistics/stop.hpp"
#include "jobs/team.hpp"
#include "kernels/inputs.hpp"
#include "src/system/peak_memory.hpp"

namespace bench::jobs {
namespace {

// A sample is at least this long, so that the clock's own cost (about 25 ns a reading) stays below 0.2 % of it.
constexpr double kShortestSample_s = 20e-6;

std::string describe(const std::exception& error) {
  const std::string text = error.what();
  return text.empty() ? "an exception without a message" : text;
}

}  // namespace

/// What lives from set-up to release on one rank.
struct Harness::Running {
  const scaling::Case& c;
  Link& link;
  const Op& op;
  const Kernel& kernel;
  std::unique_ptr<Problem> problem;
  std::vector<std::int64_t> positions;
  Tensors tensors;
  Tensor workspace;
  std::unique_ptr<Prepared> prepared;
  Context context;

  void run() { kernel.run(*problem, tensors, context); }
};

namespace {

/// Runs `step` on every rank and lets all ranks know whether it worked everywhere. Returns the reason of the lowest rank that failed
/// as far as this rank knows it; sets `outcome`.
template <class Step>
std::string together(Link& link, Outcome& outcome, Step&& step) {
  std::string reason;
  Outcome mine = Outcome::ok;
  try {
    step();
  } catch (const std::bad_alloc&) {
    mine = Outcome::oom;
    reason = "memory ran out";
  } catch (const std::exception& error) {
    mine = Outcome::crashed;
    reason = describe(error);
  }
  const auto outcomes = all_of(link, mine);
  for (std::size_t r = 0; r < outcomes.size(); ++r) {
    if (outcomes[r] == Outcome::ok) continue;
    outcome = outcomes[r];
    return static_cast<int>(r) == link.rank() && !reason.empty() ? reason : concat("rank ", r, " of the block failed: ", to_text(outcome));
  }
  return {};
}

}  // namespace

std::string Harness::set_up(Running& running, Outcome& outcome) const {
  return together(running.link, outcome, [&] {
    running.problem = running.op.parse(running.c.params);
    const Problem& problem = *running.problem;
    running.positions = positions_of(running.op, problem, running.link.rank());
    for (const TensorSpec& spec : running.op.inputs(problem)) {
      Tensor& share = running.tensors.add(spec.name, Tensor(spec.dtype, share_of(spec, running.positions)));
      fill_share(share, spec, running.positions, static_cast<std::uint64_t>(settings_.seed));
    }
    for (const TensorSpec& spec : running.op.outputs(problem))
      poison(running.tensors.add(spec.name, Tensor(spec.dtype, share_of(spec, running.positions))));
    const std::int64_t bytes = running.kernel.workspace_bytes != nullptr ? running.kernel.workspace_bytes(problem) : 0;
    running.workspace = Tensor(DType::f64, {(bytes + 7) / 8});
    running.context.link = &running.link;
    running.context.workspace = {running.workspace.data(), static_cast<std::size_t>(bytes)};
    if (running.kernel.prepare != nullptr) {
      running.prepared = running.kernel.prepare(problem, running.tensors, running.context);
      running.context.prepared = running.prepared.get();
    }
  });
}

void Harness::check(Running& running, analysis::VisitRecord& record) {
  std::vector<Deviation> mine;
  record.reason = together(running.link, record.outcome, [&] {
    const Expected& expected = oracle_.get(running.op, *running.problem, running.c.params, static_cast<std::uint64_t>(settings_.seed));
    mine = compare(running.op, *running.problem, running.kernel, running.tensors, running.positions, expected);
    record.rows_checked = static_cast<std::int64_t>(expected.rows.size());
  });
  if (record.outcome != Outcome::ok) return;
  for (const Deviation& deviation : mine) {
    double error = 0.0;
    std::int64_t not_finite = 0;
    for (const double e : all_of(running.link, deviation.error)) error = std::max(error, e);
    for (const std::int64_t n : all_of(running.link, deviation.not_finite)) not_finite += n;
    record.checks.push_back({deviation.output, error, deviation.tolerance});
    if (not_finite == 0 && error <= deviation.tolerance) continue;
    record.outcome = Outcome::wrong_result;
    record.reason = not_finite > 0 ? concat(deviation.output, ": ", not_finite, " values are NaN, infinite or were never written")
                                   : concat(deviation.output, ": error ", error, " of max|reference| is above the tolerance ", deviation.tolerance);
    return;
  }
}

/// Untimed calls; returns the seconds of one call, as rank 0 saw them last.
double Harness::warm_up(Running& running, analysis::VisitRecord& record) const {
  const double start = clock_();
  double last = 0.0;
  const std::int64_t calls = std::max<std::int64_t>(1, settings_.warmup);
  for (std::int64_t i = 0; i < calls; ++i) {
    running.link.barrier();
    const double begin = clock_();
    running.run();
    last = clock_() - begin;
  }
  record.warmup_calls = settings_.warmup;
  record.warmup_s = clock_() - start;
  return std::max(from_root(running.link, last), 1e-9);
}

/// Timed samples in batches that end at the stop rule's checkpoints; rank 0 decides and tells the others.
void Harness::measure(Running& running, analysis::VisitRecord& record, double call_s) const {
  Link& link = running.link;
  const analysis::StopRule rule{.relative_half_width = settings_.ci,
                                .confidence = settings_.confidence,
                                .min_samples = static_cast<int>(settings_.min_samples),
                                .max_samples = static_cast<int>(settings_.max_samples),
                                .min_time_s = settings_.min_time,
                                .budget_s = settings_.budget};
  record.calls_per_sample = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(kShortestSample_s / call_s)));
  const double start = clock_();
  std::vector<double> mine, slowest;
  for (;;) {
    struct Order {
      std::int64_t samples;
      analysis::StopReason reason;
    } order{0, analysis::StopReason::keep_going};
    if (link.rank() == 0) {
      order.reason = analysis::decide(slowest, clock_() - start, rule);
      const double per_sample = slowest.empty() ? call_s * static_cast<double>(record.calls_per_sample) : (clock_() - start) / static_cast<double>(slowest.size());
      order.samples = analysis::next_batch(slowest.size(), clock_() - start, per_sample, rule);
    }
    order = from_root(link, order);
    if (order.reason != analysis::StopReason::keep_going) {
      record.stop_reason = std::string(analysis::to_text(order.reason));
      break;
    }
    std::vector<double> batch;
    for (std::int64_t i = 0; i < order.samples; ++i) {
      link.barrier();
      const double begin = clock_();
      for (std::int64_t call = 0; call < record.calls_per_sample; ++call) running.run();
      batch.push_back((clock_() - begin) / static_cast<double>(record.calls_per_sample));
    }
    const std::vector<double> all = gather_all(link, batch);  // rank-major
    for (std::size_t i = 0; i < batch.size(); ++i) {
      double worst = 0.0;
      for (std::size_t r = 0; r < static_cast<std::size_t>(link.size()); ++r) {
        record.rank_time_s.push_back(all[r * batch.size() + i]);
        worst = std::max(worst, all[r * batch.size() + i]);
      }
      slowest.push_back(worst);
    }
  }
  record.measure_s = clock_() - start;
}

analysis::VisitRecord Harness::visit(const scaling::Case& c, Link& link) {
  analysis::VisitRecord record{.case_id = c.id, .ranks = c.ranks};
  const Op* op = Registry<Op>::instance().find(c.op);
  const Kernel* kernel = Registry<Kernel>::instance().find(c.kernel);
  BS_REQUIRE(op != nullptr && kernel != nullptr, "case ", c.id, " names an op or kernel that is not here: ", c.op, ", ", c.kernel);
  BS_REQUIRE(link.size() == c.ranks, "a case of ", c.ranks, " ranks was given a link of ", link.size());
  system::reset_peak_memory();
  Running running{c, link, *op, *kernel, nullptr, {}, {}, {}, nullptr, {}};
  const double start = clock_();
  record.reason = set_up(running, record.outcome);
  if (record.outcome == Outcome::ok) {
    std::int64_t sent = 0;
    record.reason = together(link, record.outcome, [&] {
      const std::int64_t before = link.bytes_sent();
      running.run();
      sent = link.bytes_sent() - before;
    });
    for (const std::int64_t bytes : all_of(link, sent)) record.wire_bytes = std::max(record.wire_bytes, bytes);
  }
  if (record.outcome == Outcome::ok) check(running, record);
  record.check_s = clock_() - start;
  if (record.outcome == Outcome::ok) {
    double call_s = 0.0;
    record.reason = together(link, record.outcome, [&] { call_s = warm_up(running, record); });
    if (record.outcome == Outcome::ok) measure(running, record, call_s);
  }
  for (const std::int64_t bytes : all_of(link, system::peak_memory_bytes())) record.peak_memory_bytes = std::max(record.peak_memory_bytes, bytes);
  return record;
}

}  // namespace bench::jobs
