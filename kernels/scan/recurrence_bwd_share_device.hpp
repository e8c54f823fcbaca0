// SPDX-License-Identifier: Apache-2.0
// The recurrence's backward pass with the steps cut over ranks that have a device each: what a rank does with its share, whichever way the carries travel. One kernel
// file per Exchange names its costs. recurrence_bwd_share.hpp has it on hosts.
//
// The passes are recurrence_reduce_scan_bwd_cuda's, ranks in reverse order:
//   (0) h of the share's last step goes to the next rank, whose first step needs it; hidden behind (1) and (2)
//   (1) the map of each span of the share, last step first, and the share's record of those, with a of its first step behind them: two numbers a channel
//   (2) the exchange: the gradient that enters behind the share, and dh0 on all ranks
//   (3) the gradients behind the spans from there, and da and db of each span from its own
// Channels in two slabs: the exchange of one is hidden behind (1) of the other, then behind (3). A share without steps is behind all others: it passes on what comes.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "kernels/kernel.hpp"
#include "kernels/scan/recurrence_edges.hpp"
#include "kernels/scan/recurrence_share_device.hpp"
#include "kernels/scan/recurrence_stream.hpp"

namespace bench::scan {

std::string takes_recurrence_bwd_share(const Problem& problem);  // Kernel::supports
std::unique_ptr<Prepared> prepare_recurrence_bwd_share(const Problem& problem, Tensors& tensors, Context& context, Exchange how);
void run_recurrence_bwd_share(const Problem& problem, Tensors& tensors, Context& context);

/// What a rank plays. Behind the carries' message memory lie two rows of states: h of the last step, and of the one before the first.
struct RecurrenceBackPlan {
  CarryPlan carries;  // its h0 is dh_last, and what is left behind all, kLast, is dh0
  int ranks = 1, rank = 0;
  bool gives = false, takes = false;  // such a row, to the next rank and from the one before

  std::int64_t memory_bytes() const { return carries.memory_bytes() + 2 * row_slot_bytes(); }
  float* last_h() const { return carries.memory + carries.memory_bytes() / static_cast<std::int64_t>(sizeof(float)); }
  float* h_before() const { return last_h() + carries.rows.state_slot(); }

  std::unique_ptr<Transfer> post_edge(DeviceLink& link) const {
    return link.post(row(gives, last_h()), (rank + 1) % ranks, row(takes, h_before()), (rank + ranks - 1) % ranks);
  }

 private:
  std::int64_t row_slot_bytes() const { return carries.rows.state_slot() * static_cast<std::int64_t>(sizeof(float)); }
  std::span<std::byte> row(bool there, float* from) const {
    return there ? std::as_writable_bytes(std::span(from, static_cast<std::size_t>(carries.rows.states()))) : std::span<std::byte>();
  }
};

inline RecurrenceBackPlan recurrence_back_plan(const RecurrenceProblem& whole, int rank, Exchange how) {
  const CarryRows rows = recurrence_carry_plan(whole, rank, how).rows;
  RecurrenceBackPlan plan;
  plan.ranks = static_cast<int>(whole.ranks);
  plan.rank = rank;
  plan.carries = {back_schedule(how, plan.ranks, rank, rows.slabs()), rows};
  plan.gives = rank + 1 < whole.ranks && rank + 1 < whole.seq;  // ranks without steps are the last ones
  plan.takes = rank > 0 && rank < whole.seq;
  return plan;
}

/// What a rank launches. On: its Machine, launch<Body>(job) and carry(CarryJob), which put work on `stream`.
template <class Tile, class On>
class RecurrenceBackPasses {
  using M = typename On::Machine;
  using Carries = typename Tile::template Of<Sweep::backward_carries>;

 public:
  RecurrenceBackPasses(const RecurrenceBackPlan& plan, const RecurrenceJob& job, void* stream, const On& on) : plan_(plan), job_(job), stream_(stream), on_(on) {
    if (plan.takes) job_.h0 = plan.h_before();
  }

  /// Before all else.
  void edges(DeviceLink* link) {
    if (job_.seq > 0) on_.template launch<RecurrenceEdges<M, Tile>>(RecurrenceEdgesJob{job_, plan_.gives ? plan_.last_h() : nullptr});
    if (link != nullptr) edge_ = plan_.post_edge(*link);
  }
  void record(int slab, int slot) {
    const CarryPlan& plan = plan_.carries;
    if (job(slab).seq > 0) on_.template launch<RecurrenceReduce<M, Carries>>(job(slab));
    if (slot == kNoSlot) return;
    CarryRun run = spans_of(job(slab), plan.rows, slab);
    run.count += job(slab).seq > 0 ? 1 : 0;  // the first step's a
    carry(plan.record_of(run, slab, slot));
  }
  void carry(const CarryJob& of) const { on_.carry(of); }
  void scan(int slab, const float* start) {
    if (edge_ != nullptr) edge_->hold_up(stream_);
    edge_.reset();
    RecurrenceJob part = job(slab);
    if (part.seq == 0) return;
    part.seed = start;
    on_.template launch<RecurrenceCarries<M, float>>(part);
    on_.template launch<RecurrenceStream<M, Tile>>(part);
  }

 private:
  RecurrenceJob job(int slab) const { return slab_job(job_, plan_.carries.rows, slab); }

  const RecurrenceBackPlan& plan_;
  RecurrenceJob job_;
  void* stream_;
  const On& on_;
  std::unique_ptr<Transfer> edge_;
};

/// Queues one call. `job`: of the whole share, cut into spans and one without steps.
template <class Tile, class On>
void play_back(const RecurrenceBackPlan& plan, const RecurrenceJob& job, DeviceLink* link, void* stream, const On& on) {
  RecurrenceBackPasses<Tile, On> passes(plan, job, stream, on);
  passes.edges(link);
  play(plan.carries, link, stream, passes);
}

}  // namespace bench::scan
