// SPDX-License-Identifier: Apache-2.0
// Running what is owed of a plan: a coordinator on rank 0 and a worker on every rank.
#pragma once

#include <string>
#include <vector>

#include "jobs/engine/coordinator.hpp"
#include "jobs/harness.hpp"
#include "scaling/plan.hpp"
#include "src/comm/block_links.hpp"
#include "src/comm/communicator.hpp"
#include "src/comm/fault.hpp"

namespace bench::jobs {

struct EngineSettings {
  CoordinatorSettings coordinator;
  bool thread = true;  // the coordinator has a thread of its own (MPI_THREAD_MULTIPLE); else it takes turns with rank 0's work
  std::vector<comm::Fault> faults;  // that happen in every visit, by the block's ranks and the visit's messages; to try what they lead to
};

/// What rank 0 has and the others have not.
struct Direction {
  Ledger* ledger = nullptr;
  std::vector<scaling::Task> tasks;  // owed, in order of preference
  std::size_t done = 0, total = 0;   // visits, of the whole plan
  Listener listener;
};

class Engine {
 public:
  /// `links`: made for every block of the plan's cases.
  Engine(const comm::Communicator& world, comm::BlockLinks& links, const scaling::Plan& plan, const scaling::Machine& machine, Machinery machinery)
      : world_(world), links_(links), plan_(plan), machine_(machine), machinery_(std::move(machinery)) {}

  /// Collective. Returns when everything owed was measured, or when a stop was asked for. `unsent` as in Worker. A rank that died surfaces as
  /// comm::CommError on all others, soon or at the end of the visit they are in; an io error of the journal on rank 0 after the others were
  /// sent home.
  void run(Direction* direction, const EngineSettings& settings, double start_s, std::vector<std::string>& unsent);
  double overhead_s() const { return overhead_s_; }

 private:
  const comm::Communicator& world_;
  comm::BlockLinks& links_;
  const scaling::Plan& plan_;
  const scaling::Machine& machine_;
  Machinery machinery_;
  double overhead_s_ = 0.0;
};

}  // namespace bench::jobs
