// SPDX-License-Identifier: Apache-2.0
// One epoch of a run: from what is owed to the tables, on one set of ranks. A death ends it (run_verb.cpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "jobs/engine/engine.hpp"
#include "src/cli/deadline.hpp"
#include "src/cli/machine.hpp"
#include "src/cli/progress.hpp"
#include "src/cli/recorder.hpp"
#include "src/cli/self_profile.hpp"
#include "src/cli/telemetry_log.hpp"
#include "src/cli/verbs.hpp"
#include "src/comm/block_links.hpp"
#include "src/comm/session.hpp"

namespace bench::cli {

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
  jobs::Direction direct(std::vector<scaling::Task> tasks, Progress& progress, TelemetryLog& telemetry, double start_s);
  std::vector<scaling::Task> feasible(std::vector<scaling::Task> owed, jobs::Ledger& ledger) const;
  std::filesystem::path outputs_folder() const;
  void measure(std::vector<scaling::Task> tasks, const std::string& placement);
  void measure_together(std::vector<scaling::Task> tasks, const std::string& placement);
  void audit();
  std::vector<scaling::Task> alone(const std::vector<std::int64_t>& cases, bool fix);
  std::vector<std::int64_t> packed(const std::set<std::string>& kernels);
  bool complete() const;
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
  std::set<analysis::Width> widths_;       // of what is owed
  comm::BlockLinks links_{world_, {.allow_shared_gpu = plan().run.allow_shared_gpu, .local_rank = placement_.local_rank}};
  std::function<double()> time_left_ = time_left(options_.deadline);
  double overhead_s_ = 0.0;
  bool lost_ = false;                      // rank 0: a visit left a process unusable
};

}  // namespace bench::cli
