// SPDX-License-Identifier: Apache-2.0
// When the allocation ends, and what else asks a run to stop.
#pragma once

#include <functional>
#include <string>

namespace bench::cli {

/// Seconds left, by the system's clock. `given` (SECONDS from now, or @UNIX time) wins over BENCH_DEADLINE_UNIX, that over
/// SLURM_JOB_END_TIME; without any of them there is no end (infinity). Error(usage) for what is no time.
std::function<double()> time_left(const std::string& given);

/// From now on SIGINT, SIGTERM and SIGUSR1 (what Slurm and mpirun send ahead of the end) are a wish to stop, not an end.
void listen_for_stop();
bool stop_requested();

}  // namespace bench::cli
