// SPDX-License-Identifier: Apache-2.0
#include "jobs/harness.hpp"

#include <algorithm>
#include <optional>

#include "analysis/statistics/quantiles.hpp"
#include "analysis/tensor_file.hpp"
#include "jobs/devices_apart.hpp"
#include "jobs/losses.hpp"
#include "jobs/part_of_call.hpp"
#include "jobs/power_cap.hpp"
#include "jobs/sampler.hpp"
#include "jobs/team.hpp"
#include "jobs/timing/fail_later.hpp"
#include "jobs/timing/preflight.hpp"
#include "jobs/together.hpp"
#include "jobs/whole_tensors.hpp"
#include "kernels/inputs.hpp"
#include "scaling/parameters.hpp"
#include "src/comm/link_self.hpp"
#include "src/system/peak_memory.hpp"

namespace bench::jobs {
namespace {

constexpr double kShortestCall_s = 1e-9;  // a clock that stands still must not divide by zero

/// A case that failed while it was timed has no times.
void drop_samples(analysis::VisitRecord& record) {
  record.rank_time_s.clear();
  record.rank_start_s.clear();
  record.flags.clear();
}

}  // namespace

/// What lives from set-up to release on one rank.
struct Harness::Running {
  const scaling::Case& c;
  Link& link;
  DeviceLink* device_link;  // null: ranks exchange nothing between devices
  bool shares_cores;
  const Op& op;
  const Kernel& kernel;
  std::unique_ptr<Problem> problem;
  std::vector<std::int64_t> positions;
  Tensors tensors;
  Tensor workspace;
  comm::LinkSelf alone;  // what a replica's kernel sees: the block's link only keeps the copies in step
  std::unique_ptr<Prepared> prepared;
  Context context;
  double first_call_s = 0.0;  // of the call that is checked
  Timer* timer = nullptr;     // of the kernel's backend
  std::optional<FailLater> later;  // around it, where ranks talk between devices
  bool functional_only = false;  // ranks share a device
  std::unique_ptr<Replay> replay;  // of run; null: it is called itself
  std::unique_ptr<PartOfCall> part;  // null: all of the call is timed

  /// What ranks exchange in a call goes over this one.
  const Link& wire() const { return device_link != nullptr ? *device_link : link; }
  /// What samples are taken with, and the end of a series of them.
  Timer& sampled() { return later ? *later : *timer; }
  void end_series() const {
    if (later) later->rethrow();
  }
  void run() { kernel.run(*problem, tensors, context); }
  /// What is timed.
  void call() {
    if (part) return part->call([&] { run(); });
    return replay ? replay->launch() : run();
  }
  /// A device's kernel is only queued by run(), and its outputs are there, not here.
  template <class Call>
  void to_the_end(Call&& what) {
    what();
    timer->wait();
    if (prepared) prepared->collect(tensors);
  }
  std::vector<std::span<const std::byte>> memory() const {
    std::vector<std::span<const std::byte>> parts{{workspace.data(), static_cast<std::size_t>(workspace.bytes())}};
    for (const auto& [name, tensor] : tensors.all()) parts.emplace_back(tensor.data(), static_cast<std::size_t>(tensor.bytes()));
    if (prepared)
      for (const auto& part : prepared->memory()) parts.push_back(part);
    return parts;
  }
};

std::string Harness::set_up(Running& running, Outcome& outcome) {
  return together(running.link, outcome, [&] {
    running.timer = &timer_of(running.kernel);
    running.timer->forget_peak();
    running.context.stream = running.timer->stream();
    running.timer->watch(running.device_link);
    if (running.device_link != nullptr) {
      running.device_link->follow(running.context.stream);
      running.later.emplace(*running.timer, *running.device_link);
    }
    running.context.device_link = running.device_link;
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
    running.context.link = problem.ranks == running.link.size() ? &running.link : &running.alone;
    running.context.workspace = {running.workspace.data(), static_cast<std::size_t>(bytes)};
  });
}

/// A step of its own, after all ranks have their memory: it may talk over the link.
std::string Harness::prepare(Running& running, Outcome& outcome) const {
  const std::string device = running.timer->device();
  if (!device.empty()) {
    const std::string reason = together(running.link, outcome, [&] { running.functional_only = share_a_device(running.link, device, settings_.allow_shared_gpu); });
    if (!reason.empty()) return reason;
  }
  if (running.kernel.prepare == nullptr) return {};
  return together(running.link, outcome, [&] {
    running.prepared = running.kernel.prepare(*running.problem, running.tensors, running.context);
    running.context.prepared = running.prepared.get();
  });
}

void Harness::check(Running& running, analysis::VisitRecord& record) {
  std::vector<Deviation> mine;
  record.reason = together(running.link, record.outcome, [&] {
    const Expected& expected = oracle_.get(running.op, *running.problem, running.c.params, static_cast<std::uint64_t>(settings_.seed));
    mine = compare(running.op, *running.problem, running.kernel, running.tensors, running.positions, expected);
    record.figures = expected.figures;
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

/// Captures the checked call, and checks what a replay of it leaves: that is what will be timed.
void Harness::capture(Running& running, analysis::VisitRecord& record) {
  record.reason = together(running.link, record.outcome, [&] {
    running.replay = running.timer->capture([&] { running.run(); });
    record.graph_nodes = running.replay->nodes();
    running.to_the_end([&] { running.call(); });
  });
  record.checks.clear();
  if (record.outcome == Outcome::ok) check(running, record);
}

/// After the calls that were checked: prepare and run have allocated what they allocate. On every rank.
void Harness::note_memory(Running& running, analysis::VisitRecord& record) const {
  const DeviceMemory mine = running.timer != nullptr ? running.timer->memory() : DeviceMemory{};
  for (const DeviceMemory& of_rank : all_of(running.link, mine)) {
    record.device_peak_bytes = std::max(record.device_peak_bytes, of_rank.peak_bytes);
    if (record.device_total_bytes > 0 && of_rank.free_bytes >= record.device_free_bytes) continue;
    record.device_free_bytes = of_rank.free_bytes;
    record.device_total_bytes = of_rank.total_bytes;
  }
}

/// Once a case, at its first visit, and before the check: what is wrong is worth keeping, too.
void Harness::keep_outputs(Running& running) const {
  const std::filesystem::path path = machinery_.outputs / concat(running.c.id, ".h5");
  if (from_root(running.link, std::int64_t{std::filesystem::exists(path) ? 1 : 0}) != 0) return;
  const Tensors whole = whole_tensors(running.link, running.op, *running.problem, running.tensors, static_cast<std::uint64_t>(settings_.seed));
  if (running.link.rank() != 0) return;
  const std::vector<IndexTable> tables = running.op.tables != nullptr ? running.op.tables(*running.problem) : std::vector<IndexTable>{};
  analysis::write_tensors(running.c, whole, tables, path);
}

/// Calls that are no samples, as many and as long as asked for; all ranks agree on when it is enough. Returns the seconds of one call: the
/// median of the last ones on rank 0, since the first pay for connections, pages and plans. By the case's own timer: around a short kernel of a
/// device the host's clock sees mostly itself, and samples would get too few calls.
double Harness::warm_up(Running& running, analysis::VisitRecord& record) const {
  const auto asked = running.c.params.find("warmup");
  const bool exact = asked != running.c.params.end();
  const std::int64_t least = std::max<std::int64_t>(exact ? 0 : 1, exact ? std::get<std::int64_t>(asked->second) : settings_.warmup);
  if (least == 0) return std::max(from_root(running.link, running.first_call_s), kShortestCall_s);  // none at all was asked for
  const std::function<void()> run = [&] { running.call(); };
  const std::function<bool()> all_here = [&] { return running.link.barrier(), false; };
  const double start = machinery_.clock();
  std::vector<double> calls;
  bool more = true;
  while (more) {
    calls.push_back(running.sampled().time(1, run, all_here).call_s);
    const bool too_short = !exact && machinery_.clock() - start < settings_.warmup_time;
    more = from_root(running.link, static_cast<std::int64_t>(calls.size()) < least || too_short ? 1 : 0) != 0;
  }
  record.warmup_calls = static_cast<std::int64_t>(calls.size());
  record.warmup_s = machinery_.clock() - start;
  const std::size_t settled = calls.size() / 2;
  const double call_s = from_root(running.link, analysis::median(analysis::sorted(std::span(calls).subspan(settled))));
  running.end_series();
  return std::max(call_s, kShortestCall_s);
}

/// The protocol of a case: what the study sets, what its parameters overrule, what rank 0's clock allows.
Protocol Harness::protocol(const Running& running, const Timer& timer, double call_s) const {
  const std::int64_t most_calls = scaling::is_cold(running.c.params) ? 1 : from_root(running.link, timer.most_calls());
  const bool spin = settings_.sync == "window" || (settings_.sync == "auto" && !running.shares_cores);
  return {.rule = {.relative_half_width = settings_.ci,
                   .confidence = settings_.confidence,
                   .min_samples = settings_.min_samples,
                   .max_samples = settings_.max_samples,
                   .min_time_s = settings_.min_time,
                   .budget_s = settings_.budget},
          .calls = std::min(most_calls, calls_per_sample(call_s, from_root(running.link, timer.shortest_sample_s()))),
          .call_s = call_s,
          .sync = spin ? Sync::window : Sync::barrier,
          .cut_warmup = running.c.params.count("warmup") == 0,
          .floor_s = from_root(running.link, timer.floor_s())};
}

Timer& Harness::timer_of(const Kernel& kernel) {
  std::unique_ptr<Timer>& timer = timers_[kernel.backend];
  if (!timer) timer = make_timer(kernel.backend, machinery_.clock, machinery_.cache_bytes, machinery_.local_rank);
  return *timer;
}

void Harness::measure(Running& running, analysis::VisitRecord& record, double call_s) {
  Timer& timer = running.sampled();
  Workload workload{.run = [&] { running.call(); }};
  if (scaling::is_cold(running.c.params)) workload.evicted = running.memory();
  if (machinery_.telemetry) record.before = machinery_.telemetry();
  Sampler(running.link, machinery_.clock, timer, protocol(running, timer, call_s), std::move(workload)).measure(record);
  running.end_series();
  if (machinery_.telemetry) record.after = machinery_.telemetry();
  if (!timer.device().empty()) mark_power_cap(record);
}

analysis::VisitRecord Harness::visit(const scaling::Case& c, Link& link, bool shares_cores, DeviceLink* device_link) {
  analysis::VisitRecord record{.case_id = c.id, .ranks = c.ranks};
  const Op* op = Registry<Op>::instance().find(c.op);
  const Kernel* kernel = Registry<Kernel>::instance().find(c.kernel);
  BS_REQUIRE(op != nullptr && kernel != nullptr, "case ", c.id, " names an op or kernel that is not here: ", c.op, ", ", c.kernel);
  BS_REQUIRE(link.size() == c.ranks, "a case of ", c.ranks, " ranks was given a link of ", link.size());
  system::reset_peak_memory();
  std::unique_ptr<Running> owner(new Running{c, link, device_link, shares_cores, *op, *kernel, nullptr, {}, {}, {}, {}, nullptr, {}, 0.0, nullptr, std::nullopt, false, nullptr, nullptr});
  const KeepInDoubt<Running> keep{owner, link, device_link, timers_[kernel->backend]};
  Running& running = *owner;
  const double start = machinery_.clock();
  record.reason = set_up(running, record.outcome);
  if (record.outcome == Outcome::ok) record.reason = prepare(running, record.outcome);
  if (record.outcome == Outcome::ok) {
    if (const scaling::Part part = scaling::part_of(c.params); part != scaling::Part::whole) running.part = std::make_unique<PartOfCall>(part, running.context);
    std::int64_t sent = 0;
    record.reason = together(link, device_link, record.outcome, [&] {
      const std::int64_t before = running.wire().bytes_sent();
      const double begin = machinery_.clock();
      running.to_the_end([&] { running.run(); });
      running.first_call_s = machinery_.clock() - begin;
      sent = running.wire().bytes_sent() - before;
    });
    for (const std::int64_t bytes : all_of(link, sent)) record.wire_bytes = std::max(record.wire_bytes, bytes);
  }
  if (record.outcome == Outcome::ok && !machinery_.outputs.empty()) record.reason = together(link, record.outcome, [&] { keep_outputs(running); });
  if (record.outcome == Outcome::ok) check(running, record);
  record.functional_only = running.functional_only;
  if (record.outcome == Outcome::ok && scaling::is_graph(c.params)) capture(running, record);
  if (running.part) running.part->begin();
  note_memory(running, record);
  record.check_s = machinery_.clock() - start;
  if (record.outcome == Outcome::ok && !record.functional_only) {
    double call_s = 0.0;
    record.reason = together(link, device_link, record.outcome, [&] { call_s = warm_up(running, record); });
    if (record.outcome == Outcome::ok) record.reason = together(link, device_link, record.outcome, [&] { measure(running, record, call_s); });
    if (record.outcome != Outcome::ok) drop_samples(record);
  }
  if (record.outcome != Outcome::ok) note_losses(link, device_link, *kernel, record);
  for (const std::int64_t bytes : all_of(link, system::peak_memory_bytes())) record.peak_memory_bytes = std::max(record.peak_memory_bytes, bytes);
  return record;
}

}  // namespace bench::jobs
