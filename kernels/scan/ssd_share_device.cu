// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/ssd_share_device.hpp"

#include <cuda_runtime.h>

#include "kernels/scan/carry_launch.cuh"
#include "kernels/scan/ssd_split_mma_launch.cuh"

namespace bench::scan {
namespace {

using OnDevice = WithCarries<SsdSplitOnDevice>;

template <class T, int kSteps, int kElements, int kStates>
struct Passes {
  const OnDevice& on_device;
  cudaStream_t stream;

  void record(int slab, int slot) const {
    const CarryPlan& plan = on_device.plan();
    const SsdJob job = slab_job(on_device.job(), plan.rows, slab);
    if (job.seq > 0) launch<SsdChunkStates<cuda::Machine, T, kSteps, kElements, kStates>>(job, stream);
    if (slot != kNoSlot) carry(plan.record_of(chunks_of(job, plan.rows, slab, kSteps), slab, slot));
  }
  void carry(const CarryJob& job) const { launch_carry<ProductDecays>(job, stream); }
  void scan(int slab, const float* start) const {
    const SsdJob job = slab_job(on_device.job(), on_device.plan().rows, slab);
    if (job.seq == 0) return;
    launch_passing<SsdPassing<cuda::Machine, kSteps>>(job, start, job.h_last, stream);
    launch<SsdChunkOutputs<cuda::Machine, T, kSteps, kElements, kStates>>(job, stream);
  }
};

}  // namespace

std::string takes_ssd_share(const Problem& problem) { return takes_split(problem_as<SsdProblem>(problem)); }

std::unique_ptr<Prepared> prepare_ssd_share(const Problem& problem, Tensors& tensors, Context& context, Exchange how) {
  const auto& p = problem_as<SsdProblem>(problem);
  const int rank = context.link->rank();
  ready_split(p);
  return std::make_unique<OnDevice>(ssd_carry_plan(p, rank, how), context.device_link, share_of(p, rank), tensors);
}

void run_ssd_share(const Problem& problem, Tensors&, Context& context) {
  const auto& on_device = static_cast<const OnDevice&>(*context.prepared);
  with_split_sizes(problem_as<SsdProblem>(problem), [&]<class T, int kSteps, int kElements, int kStates>() {
    play(on_device.plan(), context.device_link, context.stream, Passes<T, kSteps, kElements, kStates>{on_device, static_cast<cudaStream_t>(context.stream)});
  });
}

}  // namespace bench::scan
