// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/selective_share_device.hpp"

#include <algorithm>
#include <utility>

#include "kernels/scan/carry_launch.cuh"
#include "kernels/scan/selective_device.hpp"

namespace bench::scan {
namespace {

using OnDevice = WithCarries<SelectiveOnDevice>;

struct Passes {
  const SelectiveProblem& p;
  const OnDevice& on_device;
  void* stream;

  SelectiveJob job(int slab) const { return slab_job(on_device.job(), on_device.plan().rows, slab); }
  void record(int slab, int slot) const {
    const SelectiveJob part = job(slab);
    const bool asked = slot != kNoSlot;
    if (part.seq > 0 && part.chunks + part.last_too > 1) kLeaveCarries.launch(p, on_device.dense(), part, stream);
    if (asked) carry(on_device.plan().record_of(chunks_of(part, on_device.plan().rows, slab), slab, slot));
  }
  void carry(const CarryJob& of) const { launch_carry<SumDecays>(of, stream); }
  void scan(int slab, const float* start) const {
    SelectiveJob part = job(slab);
    if (part.seq == 0) return;
    part.h0 = start;
    if (part.chunks > 1) launch_combine(part, stream);
    kWriteOutputs.launch(p, on_device.dense(), part, stream);
  }
};

}  // namespace

/// Chunks and lanes follow from the longest share, so that ranks whose devices are alike do alike. What travels follows from the problem alone.
std::unique_ptr<Prepared> prepare_selective_share(const Problem& problem, Tensors& tensors, Context& context, Exchange how) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  const int rank = context.link->rank();
  CarryPlan plan = selective_carry_plan(p, rank, how);
  const std::int64_t longest = ceil_div(p.seq, p.ranks);
  const auto cut = [&](bool dense) { return plan_chunks(ceil_div(kWriteOutputs.blocks(p, dense), plan.rows.slabs()), longest, kWriteOutputs.slots(p, dense)); };
  const bool dense = cut(true).chunks > 1 || dense_fills(kWriteOutputs, p);
  kWriteOutputs.slots(p, dense);
  kLeaveCarries.slots(p, dense);
  const SelectiveProblem share = share_of(p, rank);
  ChunkPlan chunks = cut(dense);
  chunks.chunks = std::max<std::int64_t>(ceil_div(share.seq, chunks.chunk), 1);
  auto on_device = std::make_unique<OnDevice>(std::move(plan), context.device_link, share, tensors, chunks, dense, p.ranks > 1);
  on_device->plan().a = on_device->job().a;
  return on_device;
}

void run_selective_share(const Problem& problem, Tensors&, Context& context) {
  const auto& on_device = static_cast<const OnDevice&>(*context.prepared);
  play(on_device.plan(), context.device_link, context.stream, Passes{problem_as<SelectiveProblem>(problem), on_device, context.stream});
}

}  // namespace bench::scan
