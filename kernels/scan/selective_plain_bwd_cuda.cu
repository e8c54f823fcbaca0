// SPDX-License-Identifier: Apache-2.0
// selective_plain_bwd_cuda: the selective scan's backward pass on a GPU in all of its forms: real or complex states, B and C of every step or constant.
//
// The forward pass' tensors, dout (B, L, C), dh_last (B, C, N) -> du ddelta dz (B, L, C) in fp32, bf16 or fp16; dB dC (B, L, G, N) or (C, N), dA (C, N), dD
// ddelta_bias (C), dh0 (B, C, N) in fp32; complex: pairs of numbers, (..., N, 2). Formulas: selective_bwd.hpp. Algorithm: a pass without outputs leaves the states before every 16th step
// (8th beyond 128 floats of states); a second one runs back, tile by tile, from those (selective_plain_back.hpp); sums over blocks and batch entries in last launches, in
// order.
//
// Work: three exponentials a step and state, and some 25 flops, complex 70; 7 exponentials on the gates of a step and channel. Bytes: inputs two or three times,
// outputs once, N / 8 words a step and channel for the states, and dB and dC that are no constants twice for every block of 32 channels (of 4 beyond 16 floats). Error
// against fp64: as the forward pass', twice. The same bits in every run.
//
// Right choice: constant or complex problems, which the other kernels decline. Wrong: all others (selective_bwd_cuda), except as a simple twin. Preconditions: N <= 256, complex 128;
// memory for the states and for each block's dB and dC.
#include <cuda_runtime.h>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/machine.cuh"
#include "kernels/scan/selective_plain.hpp"
#include "kernels/scan/selective_plain_back.hpp"
#include "kernels/scan/selective_plain_launch.cuh"
#include "src/device/check.hpp"

namespace bench::scan {
namespace {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) selective_plain_back(const __grid_constant__ SelectivePlainJob job) {
  Body(job).run();
}
__global__ void __launch_bounds__(OrderedSum::kThreads) selective_plain_sum(const __grid_constant__ OrderedSum job) {
  job.run<cuda::Machine>();
}

/// Calls f with the body that leaves states and the one that runs back from them.
template <class F>
void with_bodies(const SelectiveProblem& p, F&& f) {
  with_plain(p, [&]<class T, class Shape, class N>() {
    f.template operator()<Shape, SelectivePlain<cuda::Machine, T, Shape, N, true>, SelectivePlainBack<cuda::Machine, T, Shape, N>>();
  });
}

template <class Body>
void launch(const SelectivePlainJob& job, cudaStream_t stream) {
  selective_plain_back<Body><<<static_cast<unsigned>(Body::blocks(job)), Body::kThreads, Body::kSharedBytes, stream>>>(job);
  BS_CUDA(cudaGetLastError());
}

class OnDevice final : public DeviceTensors {
 public:
  OnDevice(const SelectiveProblem& p, Tensors& tensors)
      : DeviceTensors(tensors, {"du", "ddelta", "dA", "dB", "dC", "dD", "dz", "ddelta_bias", "dh0"}), starts_(to_device(start_words(p))), job_(selective_plain_job(p, selective_job(p))) {
    set_inputs(job_, *this);
    job_.starts = reinterpret_cast<const std::uint32_t*>(starts_.data());
    job_.dout = data("dout");
    job_.dh_last = numbers("dh_last");
    job_.du = data("du"), job_.ddelta = data("ddelta"), job_.dz = data("dz");
    job_.dh0 = numbers("dh0");
    grow(p);
  }

  void run(const SelectiveProblem& p, cudaStream_t stream) const {
    with_bodies(p, [&]<class Shape, class Marks, class Back>() {
      launch<Marks>(job_, stream);
      launch<Back>(job_, stream);
    });
    const std::int64_t row = p.channels * job_.state;
    add_up(job_.da, "dA", row, p.batch, stream);
    add_up(job_.dskip, "dD", p.channels, p.batch, stream);
    add_up(job_.dbias, "ddelta_bias", p.channels, p.batch, stream);
    p.constant_b ? add_up(job_.db, "dB", row, p.batch, stream) : add_up(job_.db, "dB", job_.piece, pieces_, stream);
    p.constant_c ? add_up(job_.dc, "dC", row, p.batch, stream) : add_up(job_.dc, "dC", job_.piece, pieces_, stream);
  }

 private:
  float* numbers(const char* name) const { return reinterpret_cast<float*>(data(name)); }

  /// Room for what blocks leave: a part each of the sums, for each entry or for each block of a group.
  void grow(const SelectiveProblem& p) {
    const auto room = [](device::DeviceBuffer& buffer, std::int64_t count) {
      buffer = device::DeviceBuffer(count * 4);
      return reinterpret_cast<float*>(buffer.data());
    };
    const std::int64_t channels = p.batch * p.channels, states = channels * job_.state;
    std::int64_t marks = 0;
    with_bodies(p, [&]<class Shape, class Marks, class Back>() {
      marks = job_.marks(Shape::kMarkSteps);
      pieces_ = ceil_div(p.group_channels(), Shape::kChannels);
    });
    job_.piece = p.batch * p.seq * p.groups * job_.state;
    job_.states = room(states_, marks * states);
    job_.da = room(da_, states);
    job_.dskip = room(dskip_, channels);
    job_.dbias = room(dbias_, channels);
    job_.db = room(db_, p.constant_b ? states : pieces_ * job_.piece);
    job_.dc = room(dc_, p.constant_c ? states : pieces_ * job_.piece);
  }

  void add_up(const float* from, const char* to, std::int64_t count, std::int64_t parts, cudaStream_t stream) const {
    const OrderedSum job{from, numbers(to), count, static_cast<int>(parts)};
    selective_plain_sum<<<static_cast<unsigned>(job.blocks()), OrderedSum::kThreads, 0, stream>>>(job);
    BS_CUDA(cudaGetLastError());
  }

  device::DeviceBuffer starts_, states_, da_, dskip_, dbias_, db_, dc_;
  SelectivePlainJob job_;
  std::int64_t pieces_ = 1;
};

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  with_bodies(p, [&]<class Shape, class Marks, class Back>() {
    cuda::take_shared_memory(selective_plain_back<Marks>, Marks::kSharedBytes);
    cuda::take_shared_memory(selective_plain_back<Back>, Back::kSharedBytes);
  });
  return std::make_unique<OnDevice>(p, tensors);
}

void run(const Problem& problem, Tensors&, Context& context) {
  static_cast<const OnDevice&>(*context.prepared).run(problem_as<SelectiveProblem>(problem), static_cast<cudaStream_t>(context.stream));
}

const Registrar<Kernel> registrar{{
    .name = "scan/selective_plain_bwd_cuda",
    .op = "selective",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "backward, tile by tile from the states before every 16th step; constant B and C and complex states, too; the same bits in every run",
    .supports = takes_every_form,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
