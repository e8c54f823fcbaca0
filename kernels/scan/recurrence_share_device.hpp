// SPDX-License-Identifier: Apache-2.0
// The recurrence with the steps cut over ranks that have a device each: what a rank does with its share, whichever way the carries travel. One kernel file per
// Exchange names its costs.
//
// The passes are recurrence_reduce_scan_cuda's: "state first", as recurrence_share.hpp has it on hosts:
//   (1) the map of each span of the share, (a, b), and the share's record of those: two numbers a channel
//   (2) the exchange: the state before the share, and h_last on all ranks
//   (3) the states before the spans from there, and each span from its own
// Channels in two slabs: the exchange of one is hidden behind (1) of the other, then behind (3).
#pragma once

#include <memory>
#include <string>

#include "kernels/kernel.hpp"
#include "kernels/scan/carry_device.hpp"
#include "kernels/scan/recurrence_job.hpp"
#include "kernels/scan/share_of.hpp"

namespace bench::scan {

std::string takes_recurrence_share(const Problem& problem);  // Kernel::supports
std::unique_ptr<Prepared> prepare_recurrence_share(const Problem& problem, Tensors& tensors, Context& context, Exchange how);
void run_recurrence_share(const Problem& problem, Tensors& tensors, Context& context);

/// Channels of all entries in slabs.
inline CarryPlan recurrence_carry_plan(const RecurrenceProblem& whole, int rank, Exchange how) {
  constexpr std::int64_t kGrain = 64;  // the most channels of a block
  const CarryRows rows(slab_edges(whole.batch, whole.channels, kGrain, whole.ranks > 1 ? kCarrySlabs : 1), 1);
  return {carry_schedule(how, static_cast<int>(whole.ranks), rank, rows.slabs()), rows};
}

/// The job of a slab's launches.
inline RecurrenceJob slab_job(const RecurrenceJob& job, const CarryRows& rows, int slab) {
  RecurrenceJob part = job;
  part.channel0 = rows.first(slab);
  part.channel_end = rows.first(slab) + rows.rows(slab);
  return part;
}

/// What the spans of a slab do, as a run of records: pairs of numbers, those of a channel side by side; the last span has no steps.
inline CarryRun spans_of(const RecurrenceJob& job, const CarryRows& rows, int slab) {
  CarryRun run;
  run.decays = static_cast<const float*>(job.maps);
  run.ends = run.decays + 1;
  run.decay_step = run.end_step = 2;
  run.inner = 1;
  run.decay_outer = run.end_outer = 2 * job.spans;
  run.row0 = rows.first(slab);
  run.count = static_cast<int>(job.spans - 1);
  return run;
}

}  // namespace bench::scan
