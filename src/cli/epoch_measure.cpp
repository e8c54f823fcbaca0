// SPDX-License-Identifier: Apache-2.0
#include "src/cli/epoch.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <iostream>

#include "analysis/audit.hpp"
#include "scaling/audit.hpp"
#include "src/cli/device_findings.hpp"
#include "src/cli/exit_codes.hpp"
#include "src/cli/on_rank_0.hpp"
#include "src/comm/fault.hpp"
#include "src/comm/fault_tolerance.hpp"

namespace bench::cli {
namespace {

bool use_color(const Options& options, int stream) {
  if (options.color == "always") return true;
  return options.color == "auto" && std::getenv("NO_COLOR") == nullptr && isatty(stream) != 0;
}

}  // namespace

jobs::Direction Epoch::direct(std::vector<scaling::Task> tasks, Progress& progress, TelemetryLog& telemetry, double start_s) {
  const std::size_t before = recorder_->run().visits.size(), all = std::max(all_.size(), before + tasks.size());
  return {.ledger = &*ledger_,
          .tasks = std::move(tasks),
          .done = before,
          .total = all,
          .listener = {.started = [&](const scaling::Case& c) { progress.started(c); },
                       .finished =
                           [&, start_s](const scaling::Case& c, const analysis::VisitRecord& record, std::size_t done, std::size_t total) {
                             progress.finished(c, record, done);
                             recorder_->add_telemetry(telemetry.take(start_s));
                             recorder_->status("running", done, total, progress.seconds_left());
                             recorder_->store_now_and_then();
                           },
                       .lost =
                           [&](const analysis::VisitRecord& record) {
                             lost_ = true;
                             std::cerr << "bench_scale: " << record.reason << ". It is a row; no process can go on after that, a new one can: --resume -o "
                                       << kept_.folder << " (launch local --supervise does it by itself)" << std::endl;
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

/// Where every rank writes; rank 0 has made it.
std::filesystem::path Epoch::outputs_folder() const {
  if (!options_.save_outputs) return {};
  return std::filesystem::path(kept_.folder) / "outputs";
}

void Epoch::measure(std::vector<scaling::Task> tasks, const std::string& placement) {
  const int gpu = nvml_number_of_rank(placement_.local_rank);
  jobs::Engine engine(world_, links_, plan(), placement_.machine, {clock_, placement_.topology.machine().l3_bytes, telemetry_reader(gpu), placement_.local_rank,
                                                                       outputs_folder()});
  Progress progress(all_.size(), isatty(STDERR_FILENO) != 0, options_.quiet || world_.rank() != 0, use_color(options_, STDERR_FILENO), clock_);
  TelemetryLog telemetry(world_.rank() == 0 ? options_.telemetry_s : 0.0, gpu);
  const double start_s = clock_();
  std::optional<jobs::Direction> direction;
  if (world_.rank() == 0) direction = direct(std::move(tasks), progress, telemetry, start_s);
  const jobs::EngineSettings settings{{.timeout_s = options_.timeout_s, .stop_requested = stop_requested, .time_left_s = time_left_,
                                       .survives_deaths = comm::survives_deaths(), .placement = placement},
                                      session_.many_threads(), comm::parse_faults(options_.inject)};
  engine.run(direction ? &*direction : nullptr, settings, start_s, kept_.unsent);
  overhead_s_ += engine.overhead_s();
}

/// An error of rank 0's own (of the journal, say) leaves on every rank.
void Epoch::measure_together(std::vector<scaling::Task> tasks, const std::string& placement) {
  std::exception_ptr failure;  // on rank 0 the others wait to be told of it
  try {
    measure(std::move(tasks), placement);
  } catch (const std::exception& error) {
    if (world_.rank() != 0 || comm::follows_a_death(error, world_)) throw;
    failure = std::current_exception();
  }
  on_rank_0(world_, [&] {
    if (failure) std::rethrow_exception(failure);
  });
}

/// Rank 0: visits to those cases alone, less those that were begun before: one each for the audit, numbered on from the plan's; to fix, as many as
/// the plan has, numbered on from that.
std::vector<scaling::Task> Epoch::alone(const std::vector<std::int64_t>& cases, bool fix) {
  std::vector<scaling::Task> tasks;
  for (scaling::Task task : scaling::solo_tasks(plan(), cases)) {
    const std::int64_t planned = task.visit;
    for (std::int64_t i = 0; i < (fix ? planned : 1); ++i) {
      task.visit = planned + (fix ? 1 + i : 0);
      tasks.push_back(task);
    }
  }
  return ledger_->owed(tasks, plan().cases, [](const jobs::StartedVisit&) { return false; });
}

/// Rank 0: the cases that had neighbours, as indices; of `kernels` only, unless that is empty.
std::vector<std::int64_t> Epoch::packed(const std::set<std::string>& kernels) {
  const std::set<std::string> ids = analysis::packed_cases(recorder_->run());
  std::vector<std::int64_t> indices;
  for (std::size_t i = 0; i < plan().cases.size(); ++i) {
    const scaling::Case& c = plan().cases[i];
    if (ids.contains(c.id) && c.ranks <= placement_.machine.ranks && (kernels.empty() || kernels.contains(c.kernel))) indices.push_back(static_cast<std::int64_t>(i));
  }
  return indices;
}

/// After a whole sweep with neighbours: some of its cases once more, alone; with =fix then all cases of the kernels that neighbours changed.
void Epoch::audit() {
  if (options_.audit.empty()) return;
  for (const bool fix : {false, true}) {
    if (fix && options_.audit != "fix") return;
    std::vector<scaling::Task> tasks;
    if (world_.rank() == 0 && complete() && !stop_requested() && !lost_) {
      std::set<std::string> contended;
      for (const analysis::AuditRow& row : analysis::audit_rows(recorder_->run()))
        if (row.contention == scaling::Contention::contended) contended.insert(row.kernel);
      if (!fix) tasks = alone(scaling::audit_sample(plan(), packed({}), plan().run.seed), fix);
      else if (!contended.empty()) tasks = alone(packed(contended), fix);
    }
    if (world_.bcast(tasks.empty() ? std::string() : "some", 0).empty()) continue;
    measure_together(std::move(tasks), fix ? "solo" : analysis::kAuditPlacement);
  }
}

}  // namespace bench::cli
