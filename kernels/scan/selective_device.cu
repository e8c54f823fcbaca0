// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/selective_device.hpp"

#include <cuda_runtime.h>

#include "kernels/cuda/machine.cuh"
#include "kernels/scan/selective_walk.hpp"
#include "src/device/check.hpp"

namespace bench::scan {
namespace {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) selective_combine(const __grid_constant__ SelectiveJob job) {
  Body::run(job);
}

std::int64_t chunk_states(const SelectiveProblem& p, const ChunkPlan& plan, bool last_too) { return plan.chunks > 1 || last_too ? p.batch * plan.chunks * p.channels : 0; }

}  // namespace

SelectiveOnDevice::SelectiveOnDevice(const SelectiveProblem& p, Tensors& tensors, const ChunkPlan& plan, bool dense, bool last_too)
    : DeviceTensors(tensors, {"out", "h_last"}),
      starts_(to_device(start_words(p))),
      states_(chunk_states(p, plan, last_too) * p.state * 4),
      sums_(chunk_states(p, plan, last_too) * 4),
      job_(selective_job(p)),
      dense_(dense) {
  set_inputs(job_, *this);
  job_.out = data("out");
  job_.h_last = reinterpret_cast<float*>(data("h_last"));
  job_.starts = reinterpret_cast<const std::uint32_t*>(starts_.data());
  job_.states = reinterpret_cast<float*>(states_.data());
  job_.delta_sums = reinterpret_cast<float*>(sums_.data());
  job_.chunk = plan.chunk;
  job_.chunks = static_cast<int>(plan.chunks);
  job_.last_too = last_too ? 1 : 0;
}

void set_inputs(SelectiveJob& job, const DeviceTensors& tensors) {
  const auto numbers = [&](const char* name) { return reinterpret_cast<const float*>(tensors.data(name)); };
  job.u = tensors.data("u");
  job.delta = tensors.data("delta");
  job.z = tensors.data("z");
  job.b = tensors.data("B");
  job.c = tensors.data("C");
  job.a = numbers("A");
  job.skip = numbers("D");
  job.bias = numbers("delta_bias");
  job.h0 = numbers("h0");
}

std::string takes_selective(const Problem& problem) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  if (p.state > kMostStates) return concat("state = ", p.state, ": this kernel takes up to ", kMostStates, " states a channel");
  return needs_plain_mixers(p);
}

bool dense_fills(const Walker& walker, const SelectiveProblem& p) { return walker.blocks(p, true) >= 2 * walker.slots(p, true); }

void launch_combine(const SelectiveJob& job, void* stream) {
  using Body = SelectiveCombine<cuda::Machine>;
  selective_combine<Body><<<static_cast<unsigned>(Body::blocks(job)), Body::kThreads, 0, static_cast<cudaStream_t>(stream)>>>(job);
  BS_CUDA(cudaGetLastError());
}

}  // namespace bench::scan
