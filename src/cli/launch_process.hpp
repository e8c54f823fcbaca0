// SPDX-License-Identifier: Apache-2.0
// Starting another program and waiting for it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace bench::cli {

/// Runs the command with its words in `log`; its exit code, or 128 + the signal that ended it. Error(unavailable) when it cannot be started.
int run_and_wait(const std::vector<std::string>& command, const std::filesystem::path& log);

/// The same with this program's own streams, for a command that is to be asked, not killed, to stop: while it runs, the first INT, TERM or
/// USR1 is passed on as USR1, which mpirun hands to the ranks while it stays alive; one that comes after that as TERM. It has a process group
/// of its own, so that Ctrl-C reaches it only this way, and no standard input.
struct Ended {
  int code = 0;
  bool asked_to_stop = false;
};
Ended run_stoppable(const std::vector<std::string>& command);

}  // namespace bench::cli
