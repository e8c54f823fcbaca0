// SPDX-License-Identifier: Apache-2.0
// The selective scan's backward pass with the steps cut over ranks that have a device each: what a rank does with its share, whichever way the carries travel. One kernel file
// per Exchange names its costs. selective_bwd_share.hpp has it on hosts.
//
//   (1) a walk over the share from zero (selective_survey.hpp): the share's two records, and states before every few steps
//   (2) an exchange: the state before the share, which settles those states
//   (3) an exchange with the ranks in reverse order: the gradient behind the share, and dh0 on all ranks
//   (4) selective_bwd_ordered_cuda's walk from the last step to the first: all gradients
//   (5) dA, dD and ddelta_bias are sums over all steps: every rank gets every other's and adds them up in the ranks' order, so that the bits repeat
// Two exponentials a step and state and a few more, what one rank needs that saved nothing. Channels in two slabs: (2) of one is hidden behind (1) of the other, (3) of the second
// behind (4) of the first, (5) behind what is left of dB and dC.
#pragma once

#include <memory>

#include "kernels/kernel.hpp"
#include "kernels/scan/carry_back_device.hpp"
#include "kernels/scan/selective_share_device.hpp"
#include "kernels/scan/selective_survey.hpp"

namespace bench::scan {

std::unique_ptr<Prepared> prepare_selective_bwd_share(const Problem& problem, Tensors& tensors, Context& context, Exchange how);
void run_selective_bwd_share(const Problem& problem, Tensors& tensors, Context& context);

/// Sums: dA (C, N), dD (C), ddelta_bias (C), one behind the other.
inline BackPlan selective_back_plan(const SelectiveProblem& whole, int rank, Exchange how) {
  return {selective_carry_plan(whole, rank, how), how, whole.ranks, rank, whole.channels * (whole.state + 2)};
}

/// The one record that a survey left of a slab, `ends` being its states or its gradients.
inline CarryRun survey_run(const SelectiveSurveyJob& job, const CarryRows& rows, int slab, const float* ends) {
  CarryRun run;
  run.decays = job.sums;
  run.ends = ends;
  run.row0 = rows.first(slab);
  run.count = job.seq > 0 ? 1 : 0;
  return run;
}

inline SelectiveSurveyJob slab_job(const SelectiveSurveyJob& job, const CarryRows& rows, int slab) {
  SelectiveSurveyJob part = job;
  part.row0 = rows.first(slab);
  part.row_end = rows.first(slab) + rows.rows(slab);
  return part;
}

/// Up the ranks: surveys, and states before the steps. On puts work on a stream: survey, settle and walk_back of a job, and carry of a CarryJob.
template <class On>
struct SelectiveUpPasses {
  const BackPlan& plan;
  const SelectiveSurveyJob& job;
  const On& on;

  void record(int slab, int slot) const {
    const SelectiveSurveyJob part = slab_job(job, plan.up.rows, slab);
    if (part.seq > 0) on.survey(part);
    if (slot != kNoSlot) carry(plan.up.record_of(survey_run(part, plan.up.rows, slab, job.ends), slab, slot));
  }
  void carry(const CarryJob& of) const { on.carry(of); }
  void scan(int slab, const float* start) const {
    SelectiveSurveyJob part = slab_job(job, plan.up.rows, slab);
    part.h0 = start;
    if (part.seq > 0) on.settle(part);
  }
};

/// Down the ranks: gradients.
template <class On>
struct SelectiveDownPasses {
  const BackPlan& plan;
  const SelectiveSurveyJob& job;
  const On& on;

  void record(int slab, int slot) const {
    if (slot != kNoSlot) carry(plan.down.record_of(survey_run(job, plan.down.rows, slab, job.gradients), slab, slot));
  }
  void carry(const CarryJob& of) const { on.carry(of); }
  void scan(int slab, const float* start) const {
    SelectiveSurveyJob part = slab_job(job, plan.down.rows, slab);
    part.dh_last = start;
    if (part.seq > 0) on.walk_back(part);
  }
};

/// This rank's sums over entries and steps, by On::sum(OrderedSum) and On::clear(floats).
template <class On>
void sum_share(const SelectiveSurveyJob& job, float* to, const On& on) {
  const std::int64_t channels = job.channels;
  if (job.seq == 0) return on.clear(to, channels * (job.state + 2));
  on.sum(OrderedSum{job.da, to, channels * job.state, job.batch});
  on.sum(OrderedSum{job.dskip, to + channels * job.state, channels, job.batch});
  on.sum(OrderedSum{job.dbias, to + channels * (job.state + 1), channels, job.batch});
}

/// Queues one call. `job`: of the whole share.
template <class On>
void play_back(const BackPlan& plan, const SelectiveSurveyJob& job, DeviceLink* link, void* stream, const On& on) {
  play_both(plan, link, stream, SelectiveUpPasses<On>{plan, job, on}, SelectiveDownPasses<On>{plan, job, on}, on);
}

}  // namespace bench::scan
