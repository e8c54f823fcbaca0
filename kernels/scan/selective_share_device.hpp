// SPDX-License-Identifier: Apache-2.0
// The selective scan with the steps cut over ranks that have a device each: what a rank does with its share, whichever way the carries travel. One kernel file per
// Exchange names its costs.
//
// The passes are selective_chunked_cuda's: "state first", as selective_share.hpp has it on hosts:
//   (1) each chunk of the share from zero, without outputs, and the share's record of those: the sum of d, and N states a channel
//   (2) the exchange: the state before the share, and h_last on all ranks
//   (3) the states before the chunks from there, and all chunks with outputs
// Channels in two slabs: the exchange of one is hidden behind (1) of the other, then behind (3).
#pragma once

#include <memory>
#include <string>

#include "kernels/kernel.hpp"
#include "kernels/scan/carry_device.hpp"
#include "kernels/scan/selective_job.hpp"
#include "kernels/scan/share_of.hpp"

namespace bench::scan {

std::unique_ptr<Prepared> prepare_selective_share(const Problem& problem, Tensors& tensors, Context& context, Exchange how);
void run_selective_share(const Problem& problem, Tensors& tensors, Context& context);

/// Channels of all entries in slabs.
inline CarryPlan selective_carry_plan(const SelectiveProblem& whole, int rank, Exchange how) {
  constexpr std::int64_t kGrain = 128;  // the most channels of a block, of which all others are divisors
  const CarryRows rows(slab_edges(whole.batch * whole.groups, whole.group_channels(), kGrain, whole.ranks > 1 ? kCarrySlabs : 1), whole.state);
  CarryPlan plan(carry_schedule(how, static_cast<int>(whole.ranks), rank, rows.slabs()), rows);
  plan.a_rows = whole.channels;
  return plan;
}

/// The job of a slab's launches.
inline SelectiveJob slab_job(const SelectiveJob& job, const CarryRows& rows, int slab) {
  SelectiveJob part = job;
  part.row0 = rows.first(slab);
  part.row_end = rows.first(slab) + rows.rows(slab);
  return part;
}

/// What the chunks of a slab leave, as a run of records.
inline CarryRun chunks_of(const SelectiveJob& job, const CarryRows& rows, int slab) {
  CarryRun run;
  run.decays = job.delta_sums;
  run.ends = job.states;
  run.decay_step = run.inner = job.channels;
  run.end_step = run.inner * job.state;
  run.decay_outer = job.chunks * run.decay_step;
  run.end_outer = job.chunks * run.end_step;
  run.row0 = rows.first(slab);
  run.count = job.seq > 0 ? job.chunks : 0;
  return run;
}

}  // namespace bench::scan
