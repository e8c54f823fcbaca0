// SPDX-License-Identifier: Apache-2.0
// The supervisor: a run, started again with --resume while it dies unfinished and gets further. It is what survives a killed rank where MPI
// itself does not (no ULFM), and a killed mpirun anywhere. It judges by the run's folder; mpirun's code can be a stray one.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace bench::cli {

/// How far a run's folder has got.
struct RunState {
  bool finished = false;      // status.json says so
  std::size_t steps = 0;      // visits begun and ended: the journal's start and visit records
};
RunState state_of(const std::filesystem::path& folder);

/// What to do after a try.
struct Decision {
  bool again = false;
  int code = 0;        // of the whole, when not
  std::string reason;  // in words, for stderr
};
/// `code` is the try's. A finished run ends with its own code, or with 0 or 3 by its journal when mpirun's is neither (`failed`: visits
/// that failed are in it). A mistake in the command line or a missing feature is no reason to try again. Otherwise again if it got further;
/// kStoppedEarly if not, or if a signal asked it to stop.
Decision decide(const RunState& before, const RunState& after, int code, bool asked_to_stop, const std::function<bool()>& failed);

/// Runs `command` (which must continue the run in `folder`) until decide() has enough. The code of the whole.
int supervise(const std::vector<std::string>& command, const std::filesystem::path& folder);

}  // namespace bench::cli
