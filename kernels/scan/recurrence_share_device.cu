// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/recurrence_share_device.hpp"

#include "kernels/scan/carry_launch.cuh"
#include "kernels/scan/recurrence_reduce_scan_launch.cuh"

namespace bench::scan {
namespace {

using OnDevice = WithCarries<RecurrenceOnDevice>;
using ReduceScan = ReduceScanKernel<Sweep::forward>;

template <class Tile>
struct Passes {
  const OnDevice& on_device;
  const Context& context;

  RecurrenceJob job(int slab) const { return slab_job(on_device.job(), on_device.plan().rows, slab); }
  void record(int slab, int slot) const {
    if (job(slab).seq > 0) launch_part<RecurrenceReduce<cuda::Machine, Tile>>(job(slab), context);
    if (slot != kNoSlot) carry(on_device.plan().record_of(spans_of(job(slab), on_device.plan().rows, slab), slab, slot));
  }
  void carry(const CarryJob& of) const { launch_carry<ProductDecays>(of, context.stream); }
  void scan(int slab, const float* start) const {
    RecurrenceJob part = job(slab);
    if (part.seq == 0) return;
    part.seed = start;
    launch_part<RecurrenceCarries<cuda::Machine, float>>(part, context);
    launch_part<RecurrenceStream<cuda::Machine, Tile>>(part, context);
  }
};

/// Calls f with the tile for this problem's elements, which are real.
template <class F>
void with_real_tile(const RecurrenceProblem& p, F&& f) {
  ReduceScan::with_tile_of<Sweep::forward>(p, [&]<class Tile>() {
    if constexpr (std::is_same_v<typename Tile::Number, float>) f.template operator()<Tile>();
  });
}

}  // namespace

std::string takes_recurrence_share(const Problem& problem) {
  if (problem_as<RecurrenceProblem>(problem).complex) return "complex = true: this kernel's carries are real";
  return ReduceScan::supports(problem);
}

std::unique_ptr<Prepared> prepare_recurrence_share(const Problem& problem, Tensors& tensors, Context& context, Exchange how) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  const int rank = context.link->rank();
  auto on_device = std::make_unique<OnDevice>(recurrence_carry_plan(p, rank, how), context.device_link, share_of(p, rank), tensors);
  with_real_tile(p, [&]<class Tile>() { on_device->cut(Tile::tiles(on_device->job()), ReduceScan::kTilesASpan, sizeof(float), true); });
  return on_device;
}

void run_recurrence_share(const Problem& problem, Tensors&, Context& context) {
  const auto& on_device = static_cast<const OnDevice&>(*context.prepared);
  with_real_tile(problem_as<RecurrenceProblem>(problem), [&]<class Tile>() {
    play(on_device.plan(), context.device_link, context.stream, Passes<Tile>{on_device, context});
  });
}

}  // namespace bench::scan
