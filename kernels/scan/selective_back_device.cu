// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/selective_back_device.hpp"

#include <cuda_runtime.h>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/machine.cuh"
#include "kernels/scan/selective_back.hpp"
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
__global__ void __launch_bounds__(OrderedSum::kThreads) ordered_sum(const __grid_constant__ OrderedSum job) {
  job.run<cuda::Machine>();
}

/// Calls f with the element type and the shape of lanes: four states a lane, as it holds two numbers of each for all steps of a tile.
template <class F>
auto with_back(const SelectiveProblem& p, F&& f) {
  const auto of_type = [&]<class T>() {
    if (p.state <= 8) return f.template operator()<T, LaneShape<4, 2, 1>>();
    if (p.state <= 16) return f.template operator()<T, LaneShape<4, 4, 1>>();
    if (p.state <= 32) return f.template operator()<T, LaneShape<4, 8, 1>>();
    if (p.state <= 64) return f.template operator()<T, LaneShape<4, 16, 1>>();
    if (p.state <= 128) return f.template operator()<T, LaneShape<4, 32, 1>>();
    return f.template operator()<T, LaneShape<8, 32, 1>>();
  };
  if (p.dtype == DType::f32) return of_type.template operator()<float>();
  if (p.dtype == DType::bf16) return of_type.template operator()<Bf16>();
  return of_type.template operator()<F16>();
}

template <class Body, class Job>
void launch(void (*kernel)(const Job), const Job& job, cudaStream_t stream) {
  kernel<<<static_cast<unsigned>(Body::blocks(job)), Body::kThreads, Body::kSharedBytes + cuda::kTileAlignment_bytes, stream>>>(job);
  BS_CUDA(cudaGetLastError());
}

void launch_sum(const float* from, float* to, std::int64_t count, std::int64_t parts, cudaStream_t stream) {
  const OrderedSum job{from, to, count, static_cast<int>(parts)};
  ordered_sum<<<static_cast<unsigned>(job.blocks()), OrderedSum::kThreads, 0, stream>>>(job);
  BS_CUDA(cudaGetLastError());
}

/// What is added up behind the walk, and how much room its parts take.
struct Sizes {
  std::int64_t mark_steps, pieces;  // blocks of a group

  explicit Sizes(const SelectiveProblem& p) {
    with_back(p, [&]<class T, class Shape>() {
      mark_steps = Shape::kMarkSteps;
      pieces = ceil_div(p.group_channels(), Shape::kChannels);
    });
  }
};

class OnDevice final : public DeviceTensors {
 public:
  OnDevice(const SelectiveProblem& p, Tensors& tensors, Meeting meeting)
      : DeviceTensors(tensors, {"du", "ddelta", "dA", "dB", "dC", "dD", "dz", "ddelta_bias", "dh0"}), sizes_(p), starts_(to_device(start_words(p))), job_{selective_job(p)} {
    const std::int64_t channels = p.batch * p.channels, mixers = p.batch * p.seq * p.groups * p.state;
    const auto grow = [](device::DeviceBuffer& buffer, std::int64_t count) {
      buffer = device::DeviceBuffer(count * 4);
      return reinterpret_cast<float*>(buffer.data());
    };
    set_inputs(job_, *this);
    set_gradients();
    job_.states = grow(states_, channels * p.state * ceil_div(p.seq, sizes_.mark_steps));
    job_.da = grow(da_, channels * p.state);
    job_.dskip = grow(dskip_, channels);
    job_.dbias = grow(dbias_, channels);
    job_.adds = meeting == Meeting::as_they_come && sizes_.pieces > 1;
    job_.piece = mixers;
    sums_mixers_ = meeting == Meeting::in_order && sizes_.pieces > 1;
    if (!sums_mixers_) return;
    job_.db = grow(db_, sizes_.pieces * mixers);
    job_.dc = grow(dc_, sizes_.pieces * mixers);
  }

  void run(const SelectiveProblem& p, cudaStream_t stream) const {
    if (job_.adds)
      for (float* to : {job_.db, job_.dc}) BS_CUDA(cudaMemsetAsync(to, 0, static_cast<std::size_t>(job_.piece) * 4, stream));
    with_back(p, [&]<class T, class Shape>() {
      using Marks = SelectiveWalk<cuda::Machine, T, Shape, Walk::marks>;
      using Back = SelectiveBack<cuda::Machine, T, Shape>;
      launch<Marks>(selective_marks<Marks>, static_cast<const SelectiveJob&>(job_), stream);
      launch<Back>(selective_back<Back>, job_, stream);
    });
    if (sums_mixers_) {
      launch_sum(job_.db, numbers("dB"), job_.piece, sizes_.pieces, stream);
      launch_sum(job_.dc, numbers("dC"), job_.piece, sizes_.pieces, stream);
    }
    launch_sum(job_.da, numbers("dA"), p.channels * p.state, p.batch, stream);
    launch_sum(job_.dskip, numbers("dD"), p.channels, p.batch, stream);
    launch_sum(job_.dbias, numbers("ddelta_bias"), p.channels, p.batch, stream);
  }

 private:
  float* numbers(const char* name) const { return reinterpret_cast<float*>(data(name)); }

  void set_gradients() {
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

  Sizes sizes_;
  device::DeviceBuffer starts_, states_, da_, dskip_, dbias_, db_, dc_;
  SelectiveBackJob job_;
  bool sums_mixers_ = false;
};

}  // namespace

std::unique_ptr<Prepared> prepare_selective_back(Meeting meeting, const Problem& problem, Tensors& tensors) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  with_back(p, [&]<class T, class Shape>() {
    using Marks = SelectiveWalk<cuda::Machine, T, Shape, Walk::marks>;
    using Back = SelectiveBack<cuda::Machine, T, Shape>;
    cuda::take_shared_memory(selective_marks<Marks>, Marks::kSharedBytes + cuda::kTileAlignment_bytes);
    cuda::take_shared_memory(selective_back<Back>, Back::kSharedBytes + cuda::kTileAlignment_bytes);
  });
  return std::make_unique<OnDevice>(p, tensors, meeting);
}

void run_selective_back(const Problem& problem, const Context& context) {
  static_cast<const OnDevice&>(*context.prepared).run(problem_as<SelectiveProblem>(problem), static_cast<cudaStream_t>(context.stream));
}

}  // namespace bench::scan
