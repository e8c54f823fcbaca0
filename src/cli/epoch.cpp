// SPDX-License-Identifier: Apache-2.0
#include "src/cli/epoch.hpp"

#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <map>
#include <sstream>

#include "analysis/compare/baseline_sides.hpp"
#include "analysis/results.hpp"
#include "analysis/table.hpp"
#include "jobs/device_rates.hpp"
#include "jobs/roofline.hpp"
#include "scaling/blocks.hpp"
#include "scaling/parameters.hpp"
#include "scaling/tasks.hpp"
#include "src/cli/exit_codes.hpp"
#include "src/cli/on_rank_0.hpp"

namespace bench::cli {
namespace {

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

constexpr std::int64_t kFreshLinks = -1;  // a generation that no visit has: at the end a visit may have broken its block's link

int exit_code(const analysis::RunRecord& run, bool complete) {
  if (!complete) return kStoppedEarly;
  bool all_skipped = !run.visits.empty();  // no device here, say
  for (const analysis::VisitRecord& visit : run.visits) {
    if (visit.outcome != Outcome::ok && visit.outcome != Outcome::skipped) return kSomeFailed;
    all_skipped = all_skipped && visit.outcome == Outcome::skipped;
  }
  return all_skipped ? kUnavailable : kAllMeasured;
}

}  // namespace

/// Rank 0 starts or continues the folder, and finds out what is owed.
void Epoch::open() {
  const std::vector<std::string> unsent = world_.gather(kept_.unsent.empty() ? std::string() : kept_.unsent.front(), 0);
  kept_.unsent.clear();
  on_rank_0(world_, [&] {
    const auto how = kept_.deaths > 0 ? Recorder::How::rebuilt : options_.resume.empty() ? Recorder::How::fresh : Recorder::How::resume;
    recorder_.emplace(options_, *kept_.planned, kept_.folder, kept_.created_utc, how, clock_);
    if (options_.save_outputs) std::filesystem::create_directories(outputs_folder());
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
    std::set<std::tuple<std::int64_t, std::int64_t, std::string, bool>> kinds;
    for (const scaling::Task& task : owed_) {
      const scaling::Case& c = plan().cases[static_cast<std::size_t>(task.case_index)];
      const bool device = scaling::is_on_device(c.kernel);
      kinds.emplace(task.ranks, device ? 1 : c.threads, "mpi", device);  // also what the limits are measured over
      kinds.emplace(task.ranks, device ? 1 : c.threads, scaling::link_of(c.params), device);
    }
    for (const auto& [ranks, threads, kind, device] : kinds) text += concat(ranks, ' ', threads, ' ', kind, ' ', device ? 1 : 0, '\n');
  }
  std::istringstream lines(world_.bcast(text, 0));
  std::map<std::int64_t, std::set<comm::LinkKind>> kinds;
  std::string kind;
  bool device = false;
  for (std::int64_t ranks = 0, threads = 0; lines >> ranks >> threads >> kind >> device;) {
    kinds[ranks].insert(comm::parse_link_kind(kind));
    widths_.insert({ranks, threads, device});
  }
  const scaling::Machine& machine = placement_.machine;
  for (const auto& [width, of_width] : kinds) {
    links_.make(scaling::block_starts(scaling::block_width(width, machine), machine), width, of_width);
  }
}

/// Each width of what is owed measures its limits on its first block, the other ranks asleep.
void Epoch::measure_limits(std::int64_t generation) {
  if (plan().run.limits == "none") return;
  for (const analysis::Width& width : widths_) {
    if (width.device && width.ranks > 1 && plan().run.allow_shared_gpu) continue;  // what ranks reach on a device that they share is no limit of it
    if (world_.rank() < width.ranks) {
      Link& link = links_.get(0, static_cast<int>(width.ranks), generation);
      const analysis::Limits limits = width.device ? jobs::measure_device_limits_of(link, jobs::steady_clock(), placement_.local_rank)
                                                   : jobs::measure_limits_of(link, width.threads, jobs::steady_clock());
      const bool none = width.device && limits.read_bytes_per_s.back() <= 0.0;  // no device: its cases say why
      if (recorder_ && !none) recorder_->add_limits(width, limits);
    }
    world_.sleepy_barrier();
  }
}

bool Epoch::complete() const {
  return std::ranges::all_of(all_, [&](const scaling::Task& task) { return ledger_->has_ended({plan().cases[static_cast<std::size_t>(task.case_index)].id, task.visit}); });
}

int Epoch::close() {
  std::int64_t code = 0;
  on_rank_0(world_, [&] {
    const analysis::RunRecord& run = recorder_->run();
    const bool all = complete();
    ledger_->mark(all ? "done" : "stopped", concat(run.visits.size(), " of ", all_.size(), " visits"));
    recorder_->store();
    print_results(options_, *kept_.planned, run, recorder_->folder());
    recorder_->status(all ? "finished" : "stopped", run.visits.size(), all_.size(), 0.0);
    code = exit_code(run, all);
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
  measure_together(owed_, plan().run.placement);
  audit();
  profile_.mark("measuring");
  if (!stop_requested()) measure_limits(kFreshLinks);
  profile_.mark("measured limits");
  return close();
}

}  // namespace bench::cli
