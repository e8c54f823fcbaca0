// SPDX-License-Identifier: Apache-2.0
// The verb `run`. A run is one or more epochs: an epoch lasts until everything is measured, a stop is asked for, or a rank dies; then, where
// MPI can, the survivors begin another one from the journal.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "analysis/compare/baseline_sides.hpp"
#include "analysis/results.hpp"
#include "analysis/table.hpp"
#include "jobs/engine/engine.hpp"
#include "jobs/engine/watchdog.hpp"
#include "jobs/roofline.hpp"
#include "scaling/blocks.hpp"
#include "scaling/parameters.hpp"
#include "scaling/tasks.hpp"
#include "src/cli/deadline.hpp"
#include "src/cli/exit_codes.hpp"
#include "src/cli/machine.hpp"
#include "src/cli/progress.hpp"
#include "src/cli/recorder.hpp"
#include "src/cli/telemetry_log.hpp"
#include "src/cli/verbs.hpp"
#include "src/comm/block_links.hpp"
#include "src/comm/fault.hpp"
#include "src/comm/fault_tolerance.hpp"
#include "src/comm/session.hpp"
#include "src/system/provenance.hpp"

namespace bench::cli {
namespace {

// Mostly waiting for those that are in a visit. Whoever waits longer than this is lost, and had better be a death than a hang.
constexpr double kLongestRebuild_s = 600.0;

bool use_color(const Options& options, int stream) {
  if (options.color == "always") return true;
  return options.color == "auto" && std::getenv("NO_COLOR") == nullptr && isatty(stream) != 0;
}

/// Runs `work` on rank 0 alone and lets every rank leave with the same error.
template <class Work>
void on_rank_0(const comm::Communicator& world, Work&& work) {
  std::string problem;
  std::int64_t kind = 0;
  if (world.rank() == 0) {
    try {
      work();
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::comm) throw;  // then nobody can be told either
      problem = error.what();
      kind = static_cast<std::int64_t>(error.kind());
    } catch (const std::exception& error) {
      problem = error.what();
      kind = static_cast<std::int64_t>(ErrorKind::internal);
    }
  }
  problem = world.bcast(problem, 0);
  if (!problem.empty()) throw Error(static_cast<ErrorKind>(world.allgather(kind).front()), problem);
}

void print_results(const Options& options, const Planned& prepared, const analysis::RunRecord& run, const RunFolder& folder) {
  const analysis::Results results = analysis::make_results(run);
  std::vector<analysis::Section> more;
  if (!run.policy.empty()) more.push_back(analysis::criteria_section(run, results, analysis::parse_policy(run.policy, "policy")));
  const std::vector<analysis::Section> sections = analysis::all_sections(run, results, more);
  std::cout << analysis::tables_text(sections) << std::flush;
  folder.write("summary.md", analysis::summary_markdown(run, sections, folder.path().string()));
  if (!options.quiet)
    std::cerr << prepared.study.name << ": " << run.visits.size() << " visits; " << (folder / "results.h5").string()
              << ", summary.md and journal.jsonl are in that folder\n";
}

int exit_code(const analysis::RunRecord& run, std::size_t planned) {
  if (run.visits.size() < planned) return kStoppedEarly;
  for (const analysis::VisitRecord& visit : run.visits)
    if (visit.outcome != Outcome::ok) return kSomeFailed;
  return kAllMeasured;
}

/// What every rank keeps from one epoch to the next.
struct Kept {
  std::optional<Planned> planned;     // for the ranks that the run began with
  std::string folder, created_utc;    // of the run, the same on every rank
  std::vector<std::string> unsent;    // the last report, if it may not have arrived
  std::set<std::int64_t> lost_ranks;  // of the last epoch, in its numbers
  int deaths = 0;
};

/// One epoch of a run on the ranks of `placement`.
class Epoch {
 public:
  Epoch(const Options& options, const comm::Session& session, const Placement& placement, Kept& kept, SelfProfile& profile)
      : options_(options), session_(session), placement_(placement), world_(placement.world), kept_(kept), profile_(profile) {}
  int run();

 private:
  const scaling::Plan& plan() const { return kept_.planned->plan; }
  void open();
  void make_links();
  void measure_limits(std::int64_t generation);
  jobs::Direction direct(jobs::Ledger& ledger, Progress& progress, TelemetryLog& telemetry, double start_s);
  std::vector<scaling::Task> feasible(std::vector<scaling::Task> owed, jobs::Ledger& ledger) const;
  void measure();
  int close();

  const Options& options_;
  const comm::Session& session_;
  const Placement& placement_;
  const comm::Communicator& world_;
  Kept& kept_;
  SelfProfile& profile_;
  jobs::Clock clock_ = jobs::run_clock();
  std::optional<Recorder> recorder_;       // rank 0
  std::optional<jobs::Ledger> ledger_;     // rank 0
  std::vector<scaling::Task> all_, owed_;  // rank 0
  std::vector<std::int64_t> widths_;       // of what is owed
  comm::BlockLinks links_{world_};
  std::function<double()> time_left_ = time_left(options_.deadline);
  double overhead_s_ = 0.0;
};

/// Rank 0 starts or continues the folder, and finds out what is owed.
void Epoch::open() {
  const std::vector<std::string> unsent = world_.gather(kept_.unsent.empty() ? std::string() : kept_.unsent.front(), 0);
  kept_.unsent.clear();
  on_rank_0(world_, [&] {
    const auto how = kept_.deaths > 0 ? Recorder::How::rebuilt : options_.resume.empty() ? Recorder::How::fresh : Recorder::How::resume;
    recorder_.emplace(options_, *kept_.planned, kept_.folder, kept_.created_utc, how, clock_);
    ledger_.emplace(recorder_->run(), recorder_->journal(), recorder_->notes());
    for (const std::string& report : unsent)
      if (!report.empty()) ledger_->ended(jobs::parse_report(report).record);
    if (how == Recorder::How::resume) {
      jobs::Retry retry;
      for (const std::string& name : options_.retry) retry.outcomes.insert(parse_outcome(name));
      ledger_->retry(retry);
    }
    all_ = scaling::make_tasks(plan());
    owed_ = ledger_->owed(all_, plan().cases, [&](const jobs::StartedVisit& visit) {
      if (how != Recorder::How::rebuilt) return true;  // the whole run went down, nobody knows why
      return std::ranges::any_of(kept_.lost_ranks, [&](std::int64_t r) { return r >= visit.first_rank && r < visit.first_rank + visit.ranks; });
    });
    owed_ = feasible(std::move(owed_), *ledger_);
  });
}

/// After a death a case may need more ranks than are left: such a visit is a row that says so.
std::vector<scaling::Task> Epoch::feasible(std::vector<scaling::Task> owed, jobs::Ledger& ledger) const {
  std::erase_if(owed, [&](const scaling::Task& task) {
    if (task.ranks <= placement_.machine.ranks) return false;
    ledger.ended({.case_id = plan().cases[static_cast<std::size_t>(task.case_index)].id, .visit = task.visit, .outcome = Outcome::comm_error,
                  .reason = concat("needs ", task.ranks, " ranks, and ", placement_.machine.ranks, " are left: ", kept_.deaths, " died during the run"),
                  .ranks = task.ranks});
    return true;
  });
  return owed;
}

/// The links of every block that what is owed may use.
void Epoch::make_links() {
  std::string text;
  if (world_.rank() == 0) {
    std::set<std::pair<std::int64_t, std::string>> kinds;
    for (const scaling::Task& task : owed_) {
      kinds.emplace(task.ranks, "mpi");  // also what the limits are measured over
      kinds.emplace(task.ranks, scaling::link_of(plan().cases[static_cast<std::size_t>(task.case_index)].params));
    }
    for (const auto& [width, kind] : kinds) text += concat(width, ' ', kind, '\n');
  }
  std::istringstream lines(world_.bcast(text, 0));
  std::map<std::int64_t, std::set<comm::LinkKind>> kinds;
  std::string kind;
  for (std::int64_t width = 0; lines >> width >> kind;) kinds[width].insert(comm::parse_link_kind(kind));
  const scaling::Machine& machine = placement_.machine;
  for (const auto& [width, of_width] : kinds) {
    widths_.push_back(width);
    links_.make(scaling::block_starts(scaling::block_width(width, machine), machine), width, of_width);
  }
}

/// Each width of what is owed measures its limits on its first block, the other ranks asleep.
void Epoch::measure_limits(std::int64_t generation) {
  for (const std::int64_t width : widths_) {
    if (world_.rank() < width) {
      const analysis::Limits limits = jobs::measure_limits_of(links_.get(0, static_cast<int>(width), generation), jobs::steady_clock());
      if (recorder_) recorder_->add_limits(width, limits);
    }
    world_.sleepy_barrier();
  }
}

jobs::Direction Epoch::direct(jobs::Ledger& ledger, Progress& progress, TelemetryLog& telemetry, double start_s) {
  return {.ledger = &ledger,
          .tasks = owed_,
          .done = recorder_->run().visits.size(),
          .total = all_.size(),
          .listener = {.started = [&](const scaling::Case& c) { progress.started(c); },
                       .finished =
                           [&, start_s](const scaling::Case& c, const analysis::VisitRecord& record, std::size_t done, std::size_t total) {
                             progress.finished(c, record, done);
                             recorder_->add_telemetry(telemetry.take(start_s));
                             recorder_->status("running", done, total, progress.seconds_left());
                             recorder_->store_now_and_then();
                           },
                       .hung =
                           [&] {
                             recorder_->store();
                             recorder_->status("stopped", recorder_->run().visits.size(), all_.size(), 0.0);
                             ledger_->mark("stopped", "a visit hangs");
                             std::cerr << "bench_scale: a visit hangs and cannot be left behind; it is a row with outcome timeout. Go on with --resume -o "
                                       << kept_.folder << std::endl;
                             std::_Exit(kStoppedEarly);
                           }}};
}

void Epoch::measure() {
  jobs::Engine engine(world_, links_, plan(), placement_.machine, {clock_, placement_.topology.machine().l3_bytes, telemetry_reader(), placement_.local_rank});
  Progress progress(all_.size(), isatty(STDERR_FILENO) != 0, options_.quiet || world_.rank() != 0, use_color(options_, STDERR_FILENO), clock_);
  TelemetryLog telemetry(world_.rank() == 0 ? options_.telemetry_s : 0.0);
  const double start_s = clock_();
  std::optional<jobs::Direction> direction;
  if (world_.rank() == 0) direction = direct(*ledger_, progress, telemetry, start_s);
  const jobs::EngineSettings settings{{.timeout_s = options_.timeout_s, .stop_requested = stop_requested, .time_left_s = time_left_,
                                       .survives_deaths = comm::survives_deaths()},
                                      session_.many_threads(), comm::parse_faults(options_.inject)};
  engine.run(direction ? &*direction : nullptr, settings, start_s, kept_.unsent);
  overhead_s_ = engine.overhead_s();
}

int Epoch::close() {
  std::int64_t code = 0;
  on_rank_0(world_, [&] {
    const analysis::RunRecord& run = recorder_->run();
    const bool complete = run.visits.size() >= all_.size();
    ledger_->mark(complete ? "done" : "stopped", concat(run.visits.size(), " of ", all_.size(), " visits"));
    recorder_->store();
    print_results(options_, *kept_.planned, run, recorder_->folder());
    recorder_->status(complete ? "finished" : "stopped", run.visits.size(), all_.size(), 0.0);
    code = exit_code(run, all_.size());
    profile_.mark("store and tables");
    if (options_.profile_self) profile_.print(run, overhead_s_, recorder_->journal().seconds_spent(), recorder_->store_s());
  });
  return static_cast<int>(world_.allgather(code).front());
}

int Epoch::run() {
  open();
  profile_.mark("run folder");
  listen_for_stop();
  make_links();
  measure_limits(0);
  profile_.mark("measured limits");
  std::exception_ptr failure;  // on rank 0 the others wait to be told of it
  try {
    measure();
  } catch (const std::exception& error) {
    if (world_.rank() != 0 || comm::follows_a_death(error, world_)) throw;
    failure = std::current_exception();
  }
  profile_.mark("measuring");
  on_rank_0(world_, [&] {
    if (failure) std::rethrow_exception(failure);
  });
  if (!stop_requested()) measure_limits(-1);  // over links of their own: a visit may have broken its block's
  profile_.mark("measured limits");
  return close();
}

/// A process that has seen a death leaves without MPI's own end, which may wait for the dead.
[[noreturn]] void leave_at_once(int code) {
  std::cout.flush();
  std::cerr.flush();
  std::fflush(nullptr);
  std::_Exit(code);
}

}  // namespace

int run_verb(const Options& options, const comm::Session& session, SelfProfile& profile) {
  comm::Communicator everybody = session.world();
  Kept kept;
  for (;;) {
    std::optional<Placement> placement;
    try {
      placement = place(everybody);
      profile.mark("ranks and cores");
      if (!kept.planned) {
        kept.created_utc = everybody.bcast(system::utc_now(), 0);
        kept.folder = options.output_dir.empty() ? default_run_folder(kept.created_utc).string() : options.output_dir;
        kept.planned = prepare(options, placement->machine);
      }
      cli::bind(*placement, kept.planned->plan.run.bind);
      profile.mark("study and plan");
      const int code = Epoch(options, session, *placement, kept, profile).run();
      if (kept.deaths > 0) leave_at_once(code);
      return code;
    } catch (const std::exception& error) {
      if (!comm::follows_a_death(error, everybody)) throw;
    }
    comm::revoke_everything();
    jobs::Watchdog watchdog([] { std::raise(SIGKILL); });
    const jobs::Armed armed(watchdog, kLongestRebuild_s);
    comm::Communicator survivors = comm::survivors_of(everybody);
    kept.lost_ranks.clear();
    if (placement)
      for (const int r : comm::ranks_left_behind(placement->world, survivors)) kept.lost_ranks.insert(r);
    kept.deaths += everybody.size() - survivors.size();
    if (survivors.rank() == 0)
      std::cerr << "bench_scale: " << everybody.size() - survivors.size() << " rank(s) died; " << survivors.size() << " go on" << std::endl;
    everybody = std::move(survivors);
  }
}

}  // namespace bench::cli
