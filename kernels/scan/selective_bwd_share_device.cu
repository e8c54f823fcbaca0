// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/selective_bwd_share_device.hpp"

#include <cuda_runtime.h>

#include <utility>

#include "kernels/scan/carry_launch.cuh"
#include "kernels/scan/selective_back_device.hpp"
#include "kernels/scan/selective_back_launch.cuh"

namespace bench::scan {
namespace {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) selective_survey(const __grid_constant__ SelectiveSurveyJob job) {
  Body(job).run();
}
template <class Body>
__global__ void __launch_bounds__(Body::kThreads) selective_settle(const __grid_constant__ SelectiveSurveyJob job) {
  Body::run(job);
}

class OnDevice final : public SelectiveBackOnDevice {
 public:
  /// `link` is null for one rank.
  OnDevice(BackPlan made, DeviceLink* link, const SelectiveProblem& share, Tensors& tensors) : SelectiveBackOnDevice(share, tensors, Meeting::in_order), plan_(std::move(made)), job_{job()} {
    const std::int64_t rows = share.batch * share.channels;
    job_.marks_a_row = ceil_div(share.seq, selective_mark_steps(share));
    job_.mark_sums = grow(mark_sums_, rows * job_.marks_a_row);
    job_.sums = grow(sums_, rows);
    job_.ends = grow(ends_, rows * share.state);
    job_.gradients = grow(gradients_, rows * share.state);
    plan_.total = grow(total_, plan_.sums);
    if (link != nullptr) memory_ = link->message_memory(plan_.memory_bytes());
    plan_.place(memory_ ? reinterpret_cast<float*>(memory_->data()) : nullptr);
    plan_.up.a = plan_.down.a = job_.a;
    plan_.up.h0 = job_.h0;
    plan_.down.h0 = job_.dh_last;
  }
  const BackPlan& plan() const { return plan_; }
  const SelectiveSurveyJob& survey_job() const { return job_; }

  /// Sums are those of all ranks; dh0 comes from the records, as the walk's own is what leaves its share.
  void collect(Tensors& tensors) const override {
    SelectiveBackOnDevice::collect(tensors);
    const float* from = plan_.total;
    for (const char* name : {"dA", "dD", "ddelta_bias"}) {
      bring(tensors[name], from);
      from += tensors[name].count();
    }
    if (memory_) bring(tensors["dh0"], plan_.down.states(kLast));
  }

 private:
  static float* grow(device::DeviceBuffer& buffer, std::int64_t count) {
    buffer = device::DeviceBuffer(count * 4);
    return reinterpret_cast<float*>(buffer.data());
  }
  static void bring(Tensor& to, const float* from) { copy_from_device(to.data(), reinterpret_cast<const std::byte*>(from), to.bytes()); }

  device::DeviceBuffer mark_sums_, sums_, ends_, gradients_, total_;
  std::unique_ptr<MessageMemory> memory_;
  BackPlan plan_;
  SelectiveSurveyJob job_;
};

struct OnStream {
  const SelectiveProblem& p;
  const OnDevice& on_device;
  void* stream;

  void survey(const SelectiveSurveyJob& job) const {
    with_back(p, [&]<class T, class Shape>() {
      using Body = SelectiveSurvey<cuda::Machine, T, Shape>;
      launch_back_part<Body>(selective_survey<Body>, job, stream);
    });
  }
  void settle(const SelectiveSurveyJob& job) const {
    using Body = SelectiveSettle<cuda::Machine>;
    selective_settle<Body><<<static_cast<unsigned>(Body::blocks(job)), Body::kThreads, 0, static_cast<cudaStream_t>(stream)>>>(job);
    BS_CUDA(cudaGetLastError());
  }
  void walk_back(const SelectiveSurveyJob& job) const { launch_back_walk(p, job, stream); }
  void carry(const CarryJob& job) const { launch_carry<SumDecays>(job, stream); }
  void sum(const OrderedSum& job) const { launch_sum(job, stream); }
  void clear(float* from, std::int64_t count) const { BS_CUDA(cudaMemsetAsync(from, 0, static_cast<std::size_t>(count) * 4, static_cast<cudaStream_t>(stream))); }
  void sum_share(float* to) const { bench::scan::sum_share(on_device.survey_job(), to, *this); }
  void meanwhile() const { on_device.sum_mixers(stream); }
};

}  // namespace

std::unique_ptr<Prepared> prepare_selective_bwd_share(const Problem& problem, Tensors& tensors, Context& context, Exchange how) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  const int rank = context.link->rank();
  with_back(p, [&]<class T, class Shape>() {
    using Body = SelectiveSurvey<cuda::Machine, T, Shape>;
    allow_shared<Body>(selective_survey<Body>);
  });
  ready_back_walk(p);
  return std::make_unique<OnDevice>(selective_back_plan(p, rank, how), context.device_link, share_of(p, rank), tensors);
}

void run_selective_bwd_share(const Problem& problem, Tensors&, Context& context) {
  const auto& on_device = static_cast<const OnDevice&>(*context.prepared);
  const OnStream on{problem_as<SelectiveProblem>(problem), on_device, context.stream};
  play_back(on_device.plan(), on_device.survey_job(), context.device_link, context.stream, on);
}

}  // namespace bench::scan
