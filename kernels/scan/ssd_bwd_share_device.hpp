// SPDX-License-Identifier: Apache-2.0
// The backward pass of Mamba-2's scan with the steps cut over ranks that have a device each: what a rank does with its share, whichever way the carries travel. One kernel file per
// Exchange names its costs.
//
// The passes are ssd_bwd_mma_cuda's; no step is worked on twice:
//   (1) what each chunk of the share adds to a state of zero, and the share's record of those: 1 + P N numbers a head
//   (2) an exchange up the ranks: the state before the share, those before the chunks from there and, where there is a gate, dz
//   (3) what each chunk adds to a gradient of zero, the share's record of those, the last chunk's first, and an exchange down the ranks: the gradient behind the share, those behind
//       the chunks from there, and dh0 on all ranks
//   (4) all chunks at once: dB, dC, dx and ddt
//   (5) dA, dD and ddt_bias are sums over all steps: every rank gets every other's and adds them up in the ranks' order, so that the bits repeat
// Heads in two slabs: an exchange of the first is hidden behind (1) or (3) of the second; (5) behind the sums over shares of heads.
#pragma once

#include <memory>
#include <string>

#include "kernels/kernel.hpp"
#include "kernels/scan/carry_back_device.hpp"
#include "kernels/scan/ssd_bwd_job.hpp"
#include "kernels/scan/ssd_share_device.hpp"

namespace bench::scan {

std::string takes_ssd_bwd_share(const Problem& problem);  // Kernel::supports
std::unique_ptr<Prepared> prepare_ssd_bwd_share(const Problem& problem, Tensors& tensors, Context& context, Exchange how);
void run_ssd_bwd_share(const Problem& problem, Tensors& tensors, Context& context);

/// Sums: dA, dD, ddt_bias, (H) each, one behind the other.
inline BackPlan ssd_back_plan(const SsdProblem& whole, int rank, Exchange how) { return {ssd_carry_plan(whole, rank, how), how, whole.ranks, rank, 3 * whole.heads}; }

/// Where this rank's launches leave those, and what they start from.
inline void set_plan(const BackPlan& plan, SsdBwdJob& job) {
  job.da = plan.mine();
  job.dskip = job.da + job.heads;
  job.dbias = job.dskip + job.heads;
}

/// What the chunks of a slab add to a gradient, as a run of records from the last chunk to the first; `job` is that of the gradients.
inline CarryRun chunks_back(const SsdJob& job, const CarryRows& rows, int slab) {
  CarryRun run = chunks_of(job, rows, slab, kSsdBwdSteps);
  if (run.count == 0) return run;
  run.decays += (run.count - 1) * run.decay_step;
  run.ends += (run.count - 1) * run.end_step;
  run.decay_step = -run.decay_step;
  run.end_step = -run.end_step;
  return run;
}

/// Up the ranks. On puts work on a stream: states, gates (jobs), pass_up (a job, from), gradients, pass_down the same, and carry of a CarryJob.
template <class On>
struct SsdUpPasses {
  const BackPlan& plan;
  const SsdBwdJob& job;
  const On& on;

  void record(int slab, int slot) const {
    const SsdJob part = slab_job(job, plan.up.rows, slab);
    if (part.seq > 0) on.states(part);
    if (slot != kNoSlot) carry(plan.up.record_of(chunks_of(part, plan.up.rows, slab, kSsdBwdSteps), slab, slot));
  }
  void carry(const CarryJob& of) const { on.carry(of); }
  void scan(int slab, const float* start) const {
    const SsdJob part = slab_job(job, plan.up.rows, slab);
    if (part.seq == 0) return;
    on.pass_up(part, start, part.h_last);
    if (part.z != nullptr) on.gates(part);
  }
};

/// Down the ranks; `job.states` are gradients here.
template <class On>
struct SsdDownPasses {
  const BackPlan& plan;
  const SsdBwdJob& job;
  const On& on;

  void record(int slab, int slot) const {
    const SsdJob part = slab_job(job, plan.down.rows, slab);
    if (part.seq > 0) on.gradients(part);
    if (slot != kNoSlot) carry(plan.down.record_of(chunks_back(part, plan.down.rows, slab), slab, slot));
  }
  void carry(const CarryJob& of) const { on.carry(of); }
  void scan(int slab, const float* start) const {
    const SsdJob part = slab_job(job, plan.down.rows, slab);
    if (part.seq > 0) on.pass_down(part, start, job.dh0);
  }
};

/// Queues one call. `job` and `gradients` (the same, with the gradients' scratch for states): of the whole share.
template <class On>
void play_back(const BackPlan& plan, const SsdBwdJob& job, const SsdBwdJob& gradients, DeviceLink* link, void* stream, const On& on) {
  play_both(plan, link, stream, SsdUpPasses<On>{plan, job, on}, SsdDownPasses<On>{plan, gradients, on}, on);
}

}  // namespace bench::scan
