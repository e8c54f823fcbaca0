// SPDX-License-Identifier: Apache-2.0
#include "jobs/engine/engine.hpp"

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <thread>

#include "analysis/audit.hpp"
#include "jobs/engine/worker.hpp"
#include "scaling/static_dispatch.hpp"
#include "src/comm/fault_tolerance.hpp"
#include "src/comm/mpi_check.hpp"

namespace bench::jobs {
namespace {

void require_everybody(comm::DeathWatch& watch) {
  if (watch.lost_somebody()) throw comm::peer_lost();
}

/// One look. An error of the coordinator's own is kept until everybody was sent home; a lost peer leaves at once.
bool step(Coordinator& coordinator, const comm::Communicator& world, std::exception_ptr& failure) {
  try {
    return coordinator.step();
  } catch (const std::exception& error) {
    if (failure || comm::follows_a_death(error, world)) throw;
    failure = std::current_exception();
    coordinator.give_up();
    return false;
  }
}

/// The coordinator on its thread.
class Director {
 public:
  Director(Coordinator& coordinator, Control& control, const comm::Communicator& world)
      : watch_(world), thread_([this, &coordinator, &control, &world] { run(coordinator, control, world); }) {}
  ~Director() { join(); }
  Director(const Director&) = delete;
  Director& operator=(const Director&) = delete;

  /// Waits for it; what it failed with, if it did.
  std::exception_ptr finish() {
    join();
    return failure_;
  }
  bool lost_somebody() const { return lost_; }

 private:
  void run(Coordinator& coordinator, Control& control, const comm::Communicator& world) {
    try {
      while (!step(coordinator, world, failure_) && !abandoned_) {
        require_everybody(watch_);
        control.rest(coordinator.nap());
      }
    } catch (...) {
      failure_ = std::current_exception();
      lost_ = true;  // the worker need not wait for orders any more
    }
  }
  void join() {
    abandoned_ = true;
    if (thread_.joinable()) thread_.join();
  }

  comm::DeathWatch watch_;
  std::exception_ptr failure_;
  std::atomic<bool> abandoned_ = false, lost_ = false;
  std::thread thread_;
};

scaling::RunSettings rules(scaling::RunSettings run, const std::string& placement) {
  run.placement = placement == analysis::kAuditPlacement ? "solo" : placement;
  return run;
}

}  // namespace

void Engine::run(Direction* direction, const EngineSettings& settings, double start_s, std::vector<std::string>& unsent) {
  Control control(world_);
  comm::DeathWatch watch(world_);
  Worker worker(world_, links_, control, plan_, machine_, machinery_, settings.faults, start_s, unsent);
  if (direction == nullptr) return worker.run([&] { require_everybody(watch); });

  const std::unique_ptr<scaling::AnyDispatcher> dispatcher = scaling::make_dispatcher(rules(plan_.run, settings.coordinator.placement), machine_, direction->tasks);
  Coordinator coordinator(control, *direction->ledger, *dispatcher, plan_, direction->listener, settings.coordinator, machinery_.clock,
                          direction->done, direction->total);
  std::exception_ptr failure;
  if (settings.thread) {
    Director director(coordinator, control, world_);
    worker.run([&] {
      if (director.lost_somebody()) throw comm::peer_lost();
    });
    failure = director.finish();
  } else {
    // In turns: the coordinator looks while rank 0's worker waits for an order, which it gets from that very look.
    worker.run([&] {
      require_everybody(watch);
      step(coordinator, world_, failure);
    });
  }
  overhead_s_ = coordinator.overhead_s();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace bench::jobs
