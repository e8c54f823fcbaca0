// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/selective_back_device.hpp"

#include <cuda_runtime.h>

#include "kernels/scan/selective_back.hpp"
#include "kernels/scan/selective_back_launch.cuh"
#include "kernels/scan/selective_device.hpp"
#include "kernels/scan/selective_walk.hpp"
#include "src/device/check.hpp"

namespace bench::scan {
namespace {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) selective_marks(const __grid_constant__ SelectiveJob job) {
  Body(job).run();
}
template <class Body>
__global__ void __launch_bounds__(Body::kThreads) selective_back(const __grid_constant__ SelectiveBackJob job) {
  Body(job).run();
}
/// Blocks of a group.
std::int64_t pieces_of(const SelectiveProblem& p) {
  return with_back(p, [&]<class T, class Shape>() { return ceil_div(p.group_channels(), static_cast<std::int64_t>(Shape::kChannels)); });
}

}  // namespace

SelectiveBackOnDevice::SelectiveBackOnDevice(const SelectiveProblem& p, Tensors& tensors, Meeting meeting)
    : DeviceTensors(tensors, {"du", "ddelta", "dA", "dB", "dC", "dD", "dz", "ddelta_bias", "dh0"}), pieces_(pieces_of(p)), starts_(to_device(start_words(p))), job_{selective_job(p)} {
  const std::int64_t channels = p.batch * p.channels, mixers = p.batch * p.seq * p.groups * p.state;
  const auto grow = [](device::DeviceBuffer& buffer, std::int64_t count) {
    buffer = device::DeviceBuffer(count * 4);
    return reinterpret_cast<float*>(buffer.data());
  };
  set_inputs(job_, *this);
  set_gradients();
  job_.states = grow(states_, channels * p.state * ceil_div(p.seq, selective_mark_steps(p)));
  job_.da = grow(da_, channels * p.state);
  job_.dskip = grow(dskip_, channels);
  job_.dbias = grow(dbias_, channels);
  job_.adds = meeting == Meeting::as_they_come && pieces_ > 1;
  job_.piece = mixers;
  sums_mixers_ = meeting == Meeting::in_order && pieces_ > 1;
  if (!sums_mixers_) return;
  job_.db = grow(db_, pieces_ * mixers);
  job_.dc = grow(dc_, pieces_ * mixers);
}

void SelectiveBackOnDevice::sum_mixers(void* stream) const {
  if (!sums_mixers_) return;
  launch_sum({job_.db, numbers("dB"), job_.piece, static_cast<int>(pieces_)}, stream);
  launch_sum({job_.dc, numbers("dC"), job_.piece, static_cast<int>(pieces_)}, stream);
}

void SelectiveBackOnDevice::set_gradients() {
  job_.starts = reinterpret_cast<const std::uint32_t*>(starts_.data());
  job_.dout = data("dout");
  job_.dh_last = numbers("dh_last");
  job_.du = data("du");
  job_.ddelta = data("ddelta");
  job_.dz = data("dz");
  job_.dh0 = numbers("dh0");
  job_.db = numbers("dB");
  job_.dc = numbers("dC");
}

std::int64_t selective_mark_steps(const SelectiveProblem& p) {
  return with_back(p, [&]<class T, class Shape>() { return std::int64_t{Shape::kMarkSteps}; });
}

void ready_back_walk(const SelectiveProblem& p) {
  with_back(p, [&]<class T, class Shape>() {
    using Back = SelectiveBack<cuda::Machine, T, Shape>;
    allow_shared<Back>(selective_back<Back>);
  });
}

void launch_back_walk(const SelectiveProblem& p, const SelectiveBackJob& job, void* stream) {
  with_back(p, [&]<class T, class Shape>() {
    using Back = SelectiveBack<cuda::Machine, T, Shape>;
    launch_back_part<Back>(selective_back<Back>, job, stream);
  });
}

std::unique_ptr<Prepared> prepare_selective_back(Meeting meeting, const Problem& problem, Tensors& tensors) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  with_back(p, [&]<class T, class Shape>() {
    using Marks = SelectiveWalk<cuda::Machine, T, Shape, Walk::marks>;
    allow_shared<Marks>(selective_marks<Marks>);
  });
  ready_back_walk(p);
  return std::make_unique<SelectiveBackOnDevice>(p, tensors, meeting);
}

void run_selective_back(const Problem& problem, const Context& context) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  const auto& on_device = static_cast<const SelectiveBackOnDevice&>(*context.prepared);
  const SelectiveBackJob& job = on_device.job();
  if (job.adds)
    for (float* to : {job.db, job.dc}) BS_CUDA(cudaMemsetAsync(to, 0, static_cast<std::size_t>(job.piece) * 4, static_cast<cudaStream_t>(context.stream)));
  with_back(p, [&]<class T, class Shape>() {
    using Marks = SelectiveWalk<cuda::Machine, T, Shape, Walk::marks>;
    launch_back_part<Marks>(selective_marks<Marks>, static_cast<const SelectiveJob&>(job), context.stream);
  });
  launch_back_walk(p, job, context.stream);
  on_device.sum_mixers(context.stream);
  const auto entries = static_cast<int>(p.batch);
  launch_sum({job.da, on_device.numbers("dA"), p.channels * p.state, entries}, context.stream);
  launch_sum({job.dskip, on_device.numbers("dD"), p.channels, entries}, context.stream);
  launch_sum({job.dbias, on_device.numbers("ddelta_bias"), p.channels, entries}, context.stream);
}

}  // namespace bench::scan
