// SPDX-License-Identifier: Apache-2.0
// Mamba-2's scan with the steps cut over ranks that have a device each: what a rank does with its share, whichever way the carries travel. One kernel file per
// Exchange names its costs.
//
// The passes are ssd_split_mma_cuda's; no step is worked on twice:
//   (1) what each chunk of the share adds to a state of zero, and the share's record of those: 1 + P N numbers a head
//   (2) the exchange: the state before the share, and h_last on all ranks
//   (3) the states before the chunks from there, and the chunks' outputs
// Heads in two slabs: the exchange of one is hidden behind (1) of the other, then behind (3). Outputs are not cut into a part that needs the state and one that does not, which could
// hide it as well: it would cost a tensor of fp32 written and read again.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/kernel.hpp"
#include "kernels/scan/carry_device.hpp"
#include "kernels/scan/share_of.hpp"
#include "kernels/scan/ssd_job.hpp"

namespace bench::scan {

std::string takes_ssd_share(const Problem& problem);  // Kernel::supports
std::unique_ptr<Prepared> prepare_ssd_share(const Problem& problem, Tensors& tensors, Context& context, Exchange how);
void run_ssd_share(const Problem& problem, Tensors& tensors, Context& context);

/// Heads of all entries in slabs.
inline CarryPlan ssd_carry_plan(const SsdProblem& whole, int rank, Exchange how) {
  const std::int64_t heads = whole.batch * whole.heads;
  const CarryRows rows(slab_edges(heads, 1, 1, whole.ranks > 1 ? kCarrySlabs : 1), whole.head_states());
  return {carry_schedule(how, static_cast<int>(whole.ranks), rank, rows.slabs()), rows};
}

/// The job of a slab's launches.
inline SsdJob slab_job(const SsdJob& job, const CarryRows& rows, int slab) {
  SsdJob part = job;
  part.head0 = static_cast<int>(rows.first(slab));
  part.launch_heads = static_cast<int>(rows.rows(slab));
  return part;
}

/// What the chunks of a slab leave, as a run of records.
inline CarryRun chunks_of(const SsdJob& job, const CarryRows& rows, int slab, int steps) {
  CarryRun run;
  run.decays = job.keep;
  run.ends = job.states;
  run.decay_step = job.all_heads();
  run.end_step = job.all_states();
  run.row0 = rows.first(slab);
  run.count = job.chunks(steps);
  return run;
}

}  // namespace bench::scan
