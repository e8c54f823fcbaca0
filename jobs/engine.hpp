// SPDX-License-Identifier: Apache-2.0
// Running a plan: every rank walks the same steps; a step's visits run on disjoint blocks while the other ranks sleep; each block's first
// rank sends its record to rank 0, which journals it and tells the listener.
#pragma once

#include <functional>
#include <memory>

#include "analysis/record.hpp"
#include "jobs/harness.hpp"
#include "jobs/journal.hpp"
#include "scaling/plan.hpp"
#include "src/comm/block_links.hpp"
#include "src/comm/communicator.hpp"

namespace bench::jobs {

/// What rank 0 is told while the plan runs.
struct Listener {
  std::function<void(const scaling::Case&)> started;
  std::function<void(const scaling::Case&, const analysis::VisitRecord&, std::size_t done, std::size_t total)> finished;
};

class Engine {
 public:
  /// `journal` is null on every rank but 0.
  Engine(const comm::Communicator& world, const scaling::Plan& plan, const scaling::Machine& machine, Journal* journal, const Machinery& machinery)
      : world_(world), plan_(plan), machine_(machine), journal_(journal), clock_(machinery.clock), harness_(plan.run, machinery) {}

  /// Runs all steps; on rank 0 appends to run.visits. Returns early, on all ranks together, when `stop_requested` says so on rank 0.
  /// An io error of the journal is thrown on rank 0 after the others were told to leave.
  void run(analysis::RunRecord& run, const Listener& listener, const std::function<bool()>& stop_requested);
  /// Seconds that this rank spent between visits: dispatch, transfer of records, journal.
  double overhead_s() const { return overhead_s_; }

 private:
  std::unique_ptr<analysis::VisitRecord> take_part(const std::vector<scaling::Visit>& step);
  void collect(const std::vector<scaling::Visit>& step, std::unique_ptr<analysis::VisitRecord> mine, analysis::RunRecord& run,
               const Listener& listener);

  const comm::Communicator& world_;
  const scaling::Plan& plan_;
  const scaling::Machine& machine_;
  Journal* journal_;
  Clock clock_;
  Harness harness_;
  comm::BlockLinks links_{world_};
  double start_s_ = 0.0;
  std::size_t done_ = 0, total_ = 0;
  double overhead_s_ = 0.0;
};

}  // namespace bench::jobs
