// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <set>

#include "analysis/compare/baseline_sides.hpp"
#include "analysis/results.hpp"
#include "analysis/store.hpp"
#include "analysis/table.hpp"
#include "jobs/engine.hpp"
#include "jobs/roofline.hpp"
#include "scaling/identity.hpp"
#include "src/cli/exit_codes.hpp"
#include "src/cli/machine.hpp"
#include "src/cli/progress.hpp"
#include "src/cli/run_folder.hpp"
#include "src/cli/telemetry_log.hpp"
#include "src/cli/verbs.hpp"
#include "src/comm/block_links.hpp"
#include "src/comm/session.hpp"
#include "src/core/units.hpp"
#include "src/system/provenance.hpp"

namespace bench::cli {
namespace {

constexpr double kStoreEvery_s = 30.0;  // how often a readable results.h5 is made while measuring

volatile std::sig_atomic_t g_stop = 0;
void request_stop(int) { g_stop = 1; }

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

/// Everything rank 0 keeps while a run is on.
class Recorder {
 public:
  Recorder(const Options& options, const Planned& prepared, analysis::RunRecord& run, jobs::Clock clock)
      : run_(run), clock_(std::move(clock)), folder_(options.output_dir.empty() ? default_run_folder(run.created_utc) : std::filesystem::path(options.output_dir)),
        journal_(folder_ / "journal.jsonl"), last_store_s_(clock_()) {
    journal_.append(jobs::plan_record(run), true);
    journal_.append(jobs::environment_record(run), true);
    folder_.write("config.resolved.yaml", scaling::to_yaml(prepared.study));
    folder_.write("env.json", run.provenance_json + "\n");
  }

  jobs::Journal& journal() { return journal_; }
  const RunFolder& folder() const { return folder_; }
  double store_s() const { return store_s_; }

  /// Measured before and after the visits: the better of the two is the limit, since a neighbour can only take away.
  void add_limits(std::int64_t width, const analysis::Limits& limits) {
    run_.limits[width] = analysis::better_of(run_.limits[width], limits);
    journal_.append(jobs::limits_record(width, run_.limits[width]), true);
  }

  /// Makes results.h5 from what the journal holds.
  void store() {
    const double begin = clock_();
    run_.journal_bytes = jobs::journal_bytes(folder_ / "journal.jsonl");
    analysis::write_store(run_, folder_ / "results.h5");
    last_store_s_ = clock_();
    store_s_ += last_store_s_ - begin;
  }
  void store_now_and_then() {
    if (clock_() - last_store_s_ > kStoreEvery_s) store();
  }

  void add_telemetry(const std::vector<analysis::TimedTelemetry>& readings) {
    if (readings.empty()) return;
    journal_.append(jobs::telemetry_record(readings), false);
    run_.telemetry.insert(run_.telemetry.end(), readings.begin(), readings.end());
  }

  void status(const char* state, std::size_t done, std::size_t total, double left_s) {
    folder_.write("status.json", nlohmann::json{{"state", state}, {"done", done}, {"total", total}, {"seconds_left", left_s}}.dump() + "\n");
  }

 private:
  analysis::RunRecord& run_;
  jobs::Clock clock_;
  RunFolder folder_;
  jobs::Journal journal_;
  double last_store_s_, store_s_ = 0.0;
};

analysis::RunRecord new_record(const Options& options, const Planned& prepared) {
  analysis::RunRecord run;
  run.created_utc = system::utc_now();
  run.study = prepared.study.name;
  run.plan_sha256 = prepared.plan.sha256;
  run.confidence = prepared.plan.run.confidence;
  run.cases = prepared.plan.cases;
  run.policy = prepared.policy;
  run.provenance_json = system::provenance(options.arguments, options.keep_host, {{"mpi", comm::mpi_library_version()}}).dump();
  run.run_id = scaling::sha256_hex(run.created_utc + run.plan_sha256 + run.provenance_json + std::to_string(getpid())).substr(0, 32);
  return run;
}

/// Each width of the plan measures its limits on its first block, the other ranks asleep.
void measure_limits(const comm::Communicator& world, const scaling::Plan& plan, Recorder* recorder, const jobs::Clock& clock) {
  std::set<std::int64_t> widths;
  for (const auto& step : plan.steps)
    for (const scaling::Visit& visit : step) widths.insert(plan.cases[static_cast<std::size_t>(visit.case_index)].ranks);
  comm::BlockLinks links(world);
  for (const std::int64_t width : widths) {
    if (world.rank() < width) {
      const analysis::Limits limits = jobs::measure_limits_of(links.get(0, static_cast<int>(width)), clock);
      if (recorder != nullptr) recorder->add_limits(width, limits);
    }
    world.sleepy_barrier();
  }
}

void print_results(const Options& options, const Planned& prepared, const analysis::RunRecord& run, const Recorder& recorder) {
  const analysis::Results results = analysis::make_results(run);
  std::vector<analysis::Section> more;
  if (!run.policy.empty()) more.push_back(analysis::criteria_section(run, results, analysis::parse_policy(run.policy, "policy")));
  const std::vector<analysis::Section> sections = analysis::all_sections(run, results, more);
  std::cout << analysis::tables_text(sections) << std::flush;
  recorder.folder().write("summary.md", analysis::summary_markdown(run, sections, recorder.folder().path().string()));
  if (!options.quiet)
    std::cerr << prepared.study.name << ": " << run.visits.size() << " visits; " << (recorder.folder() / "results.h5").string()
              << ", summary.md and journal.jsonl are in that folder\n";
}

int exit_code(const analysis::RunRecord& run, std::size_t planned) {
  if (run.visits.size() < planned) return kStoppedEarly;
  for (const analysis::VisitRecord& visit : run.visits)
    if (visit.outcome != Outcome::ok) return kSomeFailed;
  return kAllMeasured;
}

}  // namespace

int run_verb(const Options& options, const comm::Session& session, SelfProfile& profile) {
  const jobs::Clock clock = jobs::steady_clock();
  const comm::Communicator unordered = session.world();
  const Placement placement = place(unordered);
  const comm::Communicator& world = placement.world;
  profile.mark("ranks and cores");
  const Planned prepared = prepare(options, placement.machine);
  bind(placement, prepared.plan.run.bind);
  profile.mark("study and plan");

  std::size_t planned = 0;
  for (const auto& step : prepared.plan.steps) planned += step.size();
  analysis::RunRecord run;
  std::optional<Recorder> recorder;
  on_rank_0(world, [&] {
    run = new_record(options, prepared);
    recorder.emplace(options, prepared, run, clock);
  });
  profile.mark("run folder");
  std::signal(SIGINT, request_stop);
  std::signal(SIGTERM, request_stop);
  measure_limits(world, prepared.plan, recorder ? &*recorder : nullptr, clock);
  profile.mark("measured limits");

  std::exception_ptr failure;  // on rank 0 the others wait to be told of it
  jobs::Engine engine(world, prepared.plan, placement.machine, recorder ? &recorder->journal() : nullptr,
                      {clock, placement.topology.machine().l3_bytes, telemetry_reader()});
  {
    Progress progress(planned, isatty(STDERR_FILENO) != 0, options.quiet || world.rank() != 0, use_color(options, STDERR_FILENO), clock);
    TelemetryLog telemetry(world.rank() == 0 ? options.telemetry_s : 0.0);
    const double start_s = clock();
    const jobs::Listener listener{
        .started = [&](const scaling::Case& c) { progress.started(c); },
        .finished = [&](const scaling::Case& c, const analysis::VisitRecord& record, std::size_t done, std::size_t total) {
          progress.finished(c, record, done);
          recorder->add_telemetry(telemetry.take(start_s));
          recorder->status("running", done, total, progress.seconds_left());
          recorder->store_now_and_then();
        }};
    try {
      engine.run(run, listener, [] { return g_stop != 0; });
    } catch (...) {
      if (world.rank() != 0) throw;
      failure = std::current_exception();
    }
  }
  profile.mark("measuring");
  measure_limits(world, prepared.plan, recorder && !failure ? &*recorder : nullptr, clock);
  profile.mark("measured limits");
  std::int64_t code = 0;
  on_rank_0(world, [&] {
    if (failure) std::rethrow_exception(failure);
    recorder->store();
    recorder->status(run.visits.size() < planned ? "stopped" : "finished", run.visits.size(), planned, 0.0);
    print_results(options, prepared, run, *recorder);
    code = exit_code(run, planned);
    profile.mark("store and tables");
    if (options.profile_self) profile.print(run, engine.overhead_s(), recorder->journal().seconds_spent(), recorder->store_s());
  });
  return static_cast<int>(world.allgather(code).front());
}

}  // namespace bench::cli
