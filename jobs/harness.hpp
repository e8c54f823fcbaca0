// SPDX-License-Identifier: Apache-2.0
// One visit: allocate -> fill by seed -> prepare -> run once -> check against the fp64 oracle (-> capture, replay once, check) -> warm up -> timed
// samples -> release.
// Nothing is timed that failed its check. Every rank of the block calls visit(); the record is complete on rank 0 of the link.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "analysis/record.hpp"
#include "jobs/clock.hpp"
#include "jobs/oracle_cache.hpp"
#include "jobs/sampler.hpp"
#include "jobs/timing/timer.hpp"
#include "kernels/kernel.hpp"
#include "kernels/oracle.hpp"
#include "scaling/study.hpp"

namespace bench::jobs {

/// What the harness needs of the machine, as values, so that a test hands in its own.
struct Machinery {
  Clock clock;
  std::int64_t cache_bytes = 0;                      // of the last level, for cold samples
  std::function<analysis::Telemetry()> telemetry{};  // read at the ends of a measurement; empty: not read
  int local_rank = 0;                                // among the processes of this node: which device is this one's
  std::filesystem::path outputs{};                   // folder for what kernels were given and gave, a file a case; empty: not kept
};

class Harness {
 public:
  Harness(const scaling::RunSettings& settings, Machinery machinery)
      : settings_(settings), machinery_(std::move(machinery)) {}

  /// Measures `c` on the ranks of `link` (link.size() == c.ranks); `shares_cores` when there are more threads than cores, where waiting in
  /// a loop would take time from the others. Never throws for what the case does: a kernel that throws is `crashed`,
  /// memory that runs out is `oom`, a device that is not there is `skipped`, an output that is not the oracle's is `wrong_result`, each with its
  /// reason. One that left its device unusable for this process sets ended_process. An exception that leaves some ranks of a collective case inside run() cannot be voted on; the transport's own error then
  /// surfaces on the others. `device_link`: between the same ranks' devices, of a case whose link is nccl; when it breaks the outcome is `comm_error`, on
  /// all ranks, and whoever made it makes another one.
  analysis::VisitRecord visit(const scaling::Case& c, Link& link, bool shares_cores = false, DeviceLink* device_link = nullptr);

 private:
  struct Running;
  std::string set_up(Running& running, Outcome& outcome);
  std::string prepare(Running& running, Outcome& outcome) const;
  void check(Running& running, analysis::VisitRecord& record);
  void capture(Running& running, analysis::VisitRecord& record);
  void note_memory(Running& running, analysis::VisitRecord& record) const;
  void keep_outputs(Running& running) const;
  double warm_up(Running& running, analysis::VisitRecord& record) const;
  Timer& timer_of(const Kernel& kernel);
  Protocol protocol(const Running& running, const Timer& timer, double call_s) const;
  void measure(Running& running, analysis::VisitRecord& record, double call_s);

  scaling::RunSettings settings_;
  Machinery machinery_;
  std::map<Backend, std::unique_ptr<Timer>> timers_;  // made when a case first needs one
  OracleCache oracle_;
};

}  // namespace bench::jobs
