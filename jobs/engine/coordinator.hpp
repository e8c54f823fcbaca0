// SPDX-License-Identifier: Apache-2.0
// The directing side of a run, on rank 0: hands out visits, books what comes back, notices what hangs. It never measures; step() is called
// by a thread of its own, or in turns with rank 0's work where MPI allows one thread only.
//
// Where visits run one after another (one node, isolated cases) everything here happens between them: a record is on the disk before the
// next visit begins, so nothing is written while something is measured.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "jobs/clock.hpp"
#include "jobs/engine/control.hpp"
#include "jobs/engine/ledger.hpp"
#include "jobs/engine/order.hpp"
#include "scaling/dispatch.hpp"
#include "scaling/plan.hpp"

namespace bench::jobs {

/// What rank 0 is told while the plan runs.
struct Listener {
  std::function<void(const scaling::Case&)> started;
  std::function<void(const scaling::Case&, const analysis::VisitRecord&, std::size_t done, std::size_t total)> finished;
  /// A visit left a process unusable (VisitRecord::ended_process), and its record is in the journal: nothing more is handed out.
  std::function<void(const analysis::VisitRecord&)> lost{};
  /// A visit hangs in rank 0's own process, or where nobody can be left behind: the last words before the process ends.
  std::function<void()> hung;
};

struct CoordinatorSettings {
  double timeout_s = 0.0;                 // limit of a visit; 0: ten times its estimate, at least a minute
  std::function<bool()> stop_requested;   // by a signal
  std::function<double()> time_left_s;    // until the allocation ends
  bool survives_deaths = false;           // a rank that hangs may be ended, the others go on
  std::string placement = "packed";       // label of the visits: as RunSettings, or analysis::kAuditPlacement, which is solo for the audit
};

class Coordinator {
 public:
  Coordinator(Control& control, Ledger& ledger, scaling::AnyDispatcher& dispatcher, const scaling::Plan& plan, const Listener& listener,
              CoordinatorSettings settings, Clock clock, std::size_t done, std::size_t total)
      : control_(control), ledger_(ledger), dispatcher_(dispatcher), plan_(plan), listener_(listener), settings_(std::move(settings)),
        clock_(std::move(clock)), done_(done), total_(total) {}

  /// Looks once at everything. True when all ranks were sent home.
  bool step();
  /// How long the next step may wait without being late for anything.
  std::chrono::microseconds nap() const;
  /// From here on nothing is handed out or booked; step() sends everybody home once what runs has come back. After an error of the journal.
  void give_up() { given_up_ = true; }
  double overhead_s() const { return overhead_s_; }

 private:
  struct Running {
    scaling::Assignment assignment;
    double start_s = 0.0, limit_s = 0.0;
    bool over = false;  // booked, but its ranks may not have come back yet
  };
  using Block = std::pair<std::int64_t, std::int64_t>;  // first rank, ranks

  void take_reports();
  void book(const scaling::Assignment& assignment, analysis::VisitRecord record);
  void end_what_hangs();
  void hand_out();
  bool stopping() const { return ending_ || settings_.stop_requested(); }
  bool fits(const scaling::Assignment& assignment) const;
  void begin(const scaling::Assignment& assignment);
  void dismiss();
  const scaling::Case& case_of(const scaling::Assignment& assignment) const { return plan_.cases[static_cast<std::size_t>(assignment.task.case_index)]; }

  Control& control_;
  Ledger& ledger_;
  scaling::AnyDispatcher& dispatcher_;
  const scaling::Plan& plan_;
  const Listener& listener_;
  CoordinatorSettings settings_;
  Clock clock_;
  std::map<std::int64_t, Running> running_;  // by assignment
  std::map<Block, std::int64_t> generation_;  // of a block's link: another one after a visit that broke it
  std::size_t done_, total_;
  bool given_up_ = false;
  bool ending_ = false;  // a process cannot go on: what runs may end, the rest is for the next start
  double overhead_s_ = 0.0;
};

}  // namespace bench::jobs
