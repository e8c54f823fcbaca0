// SPDX-License-Identifier: Apache-2.0
// Outliving a rank. With ULFM (Open MPI 5 under `mpirun --with-ft ulfm`) the death of a rank is an error of the calls that need it, and the
// others can leave it behind: revoke what they share, shrink, go on. Without ULFM a death ends the job, and resuming is the launcher's.
//
// What was learnt the hard way (Open MPI 5.0.11): freeing a communicator that holds a dead rank hangs, so nothing is freed once a rank was
// lost; MPI_Comm_create_group fails on a parent with a dead rank, so one shrinks first; MPI_Finalize may hang after several deaths, so such
// a process leaves by _exit; a probe does not report a death, so one has to ask.
#pragma once

#include <chrono>
#include <exception>
#include <vector>

#include "src/comm/communicator.hpp"
#include "src/comm/mpi_check.hpp"

namespace bench::comm {

/// This MPI can, and the launcher switched it on.
bool survives_deaths();

/// `error` says that a rank died or that a communicator was revoked because of one.
bool is_peer_loss(const std::exception& error);

/// The error of a wait that ended because somebody died elsewhere; is_peer_loss says true to it.
CommError peer_lost();

/// `error` came out of a transport that broke because somebody of `world` died: what MPI says does not always tell, and the news of the
/// death may come a moment later. Waits for it up to a second.
bool follows_a_death(const std::exception& error, const Communicator& world);

/// Ranks of `group` that are known to be dead, ascending. Empty without ULFM.
std::vector<int> dead_ranks(const Communicator& group);

/// Revokes every communicator that this process holds, so that whoever waits in one of them comes out with an error; from here on none is
/// freed any more. Nothing without ULFM.
void revoke_everything();

/// The survivors of `world`, as a new communicator. Collective over them; every survivor must come, also those that were busy elsewhere.
Communicator survivors_of(const Communicator& world);

/// Ranks of `before` whose processes are not in `now`, ascending.
std::vector<int> ranks_left_behind(const Communicator& before, const Communicator& now);

/// Asks now and then whether `world` has lost somebody.
class DeathWatch {
 public:
  explicit DeathWatch(const Communicator& world) : world_(world) {}
  /// True when a rank of the world died, or another rank revoked it. Costs a few microseconds every 2 ms, nothing in between.
  bool lost_somebody();

 private:
  using Clock = std::chrono::steady_clock;
  const Communicator& world_;
  Clock::time_point next_{};
};

}  // namespace bench::comm
