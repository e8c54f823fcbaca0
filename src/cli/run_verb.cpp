// SPDX-License-Identifier: Apache-2.0
// The verb `run`. A run is one or more epochs: an epoch lasts until everything is measured, a stop is asked for, or a rank dies; then, where
// MPI can, the survivors begin another one from the journal.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>

#include "jobs/command/permission.hpp"
#include "jobs/engine/watchdog.hpp"
#include "src/cli/epoch.hpp"
#include "src/comm/fault_tolerance.hpp"
#include "src/system/provenance.hpp"

namespace bench::cli {
namespace {

// Mostly waiting for those that are in a visit. Whoever waits longer than this is lost, and had better be a death than a hang.
constexpr double kLongestRebuild_s = 600.0;

/// A process that has seen a death leaves without MPI's own end, which may wait for the dead.
[[noreturn]] void leave_at_once(int code) {
  std::cout.flush();
  std::cerr.flush();
  std::fflush(nullptr);
  std::_Exit(code);
}

}  // namespace

int run_verb(const Options& options, const comm::Session& session, SelfProfile& profile) {
  jobs::allow_commands(options.allow_commands);
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
