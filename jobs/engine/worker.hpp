// SPDX-License-Identifier: Apache-2.0
// The working side of a rank: waits for orders, does the visit, reports it if it is the first of its block.
#pragma once

#include <csignal>
#include <functional>
#include <string>
#include <vector>

#include "jobs/engine/control.hpp"
#include "jobs/engine/order.hpp"
#include "jobs/engine/watchdog.hpp"
#include "jobs/harness.hpp"
#include "scaling/plan.hpp"
#include "src/comm/block_links.hpp"
#include "src/comm/communicator.hpp"
#include "src/comm/fault.hpp"

namespace bench::jobs {

/// How long past its limit a visit that hangs may go on: time for a transport that gave up to say so.
inline double grace_s(double limit_s) { return limit_s < 10.0 ? 1.0 : 0.1 * limit_s; }

class Worker {
 public:
  /// `links`: of the plan's blocks. `faults` happen in every visit. `unsent`: the last report until it is known to be in the journal; it outlives the worker.
  Worker(const comm::Communicator& world, comm::BlockLinks& links, Control& control, const scaling::Plan& plan, const scaling::Machine& machine,
         Machinery machinery, const std::vector<comm::Fault>& faults, double start_s, std::vector<std::string>& unsent)
      : world_(world), links_(links), control_(control), plan_(plan), machine_(machine), clock_(machinery.clock), harness_(plan.run, std::move(machinery)),
        faults_(faults), start_s_(start_s), unsent_(unsent) {}

  /// Until it is sent home. `while_waiting` runs between looks for an order. A lost peer surfaces as comm::CommError.
  void run(const std::function<void()>& while_waiting);
  /// Seconds inside visits.
  double working_s() const { return working_s_; }

 private:
  void obey(const Order& order);
  analysis::VisitRecord visit(const Order& order);

  const comm::Communicator& world_;
  comm::BlockLinks& links_;
  Control& control_;
  const scaling::Plan& plan_;
  const scaling::Machine& machine_;
  Clock clock_;
  Harness harness_;
  const std::vector<comm::Fault>& faults_;
  Watchdog watchdog_{[] { std::raise(SIGKILL); }};  // a kernel that does not return: the process is all that can be ended
  double start_s_, working_s_ = 0.0;
  std::vector<std::string>& unsent_;
};

}  // namespace bench::jobs
