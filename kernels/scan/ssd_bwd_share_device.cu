// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/ssd_bwd_share_device.hpp"

#include <cuda_runtime.h>

#include <utility>

#include "kernels/scan/carry_launch.cuh"
#include "kernels/scan/ssd_bwd_mma_launch.cuh"
#include "kernels/scan/ssd_bwd_on_device_cuda.hpp"

namespace bench::scan {
namespace {

class OnDevice final : public Prepared {
 public:
  /// `link` is null for one rank.
  OnDevice(BackPlan made, DeviceLink* link, const SsdProblem& share, Tensors& tensors)
      : share_(share, tensors), total_(made.sums * 4), plan_(std::move(made)), job_(share_.job()), gradients_(share_.gradients()) {
    plan_.total = reinterpret_cast<float*>(total_.data());
    if (link != nullptr) memory_ = link->message_memory(plan_.memory_bytes());
    plan_.place(memory_ ? reinterpret_cast<float*>(memory_->data()) : nullptr);
    plan_.up.h0 = job_.h0;
    plan_.down.h0 = job_.dh_last;
    set_plan(plan_, job_);
  }
  const BackPlan& plan() const { return plan_; }
  const SsdBwdJob& job() const { return job_; }
  const SsdBwdJob& gradients() const { return gradients_; }

  /// Sums are those of all ranks; dh0 comes from the records, as the share's own is what leaves it.
  void collect(Tensors& tensors) const override {
    share_.collect(tensors);
    const float* from = plan_.total;
    for (const char* name : {"dA", "dD", "ddt_bias"}) {
      bring(tensors[name], from);
      from += tensors[name].count();
    }
    if (memory_) bring(tensors["dh0"], plan_.down.states(kLast));
  }

 private:
  static void bring(Tensor& to, const float* from) { copy_from_device(to.data(), reinterpret_cast<const std::byte*>(from), to.bytes()); }

  SsdBwdOnDevice share_;
  device::DeviceBuffer total_;
  std::unique_ptr<MessageMemory> memory_;
  BackPlan plan_;
  SsdBwdJob job_, gradients_;
};

template <class Use>
struct OnStream {
  const SsdBwdJob& job;
  cudaStream_t stream;

  void states(const SsdJob& part) const { launch<typename Use::States>(part, stream); }
  void gradients(const SsdJob& part) const { launch<typename Use::Gradients>(part, stream); }
  void gates(const SsdJob& part) const { launch<typename Use::Gates>(part, stream); }
  void pass_up(const SsdJob& part, const float* from, float* to) const { launch_passing<SsdPassing<cuda::Machine, kSsdBwdSteps>>(part, from, to, stream); }
  void pass_down(const SsdJob& part, const float* from, float* to) const { launch_passing<SsdPassing<cuda::Machine, kSsdBwdSteps, Towards::begin>>(part, from, to, stream); }
  void carry(const CarryJob& of) const { launch_carry<ProductDecays>(of, stream); }

  /// Where the job has them; zeros where a share has no steps.
  void sum_share(float* /*mine*/) const {
    using Steps = SsdBwdSteps<cuda::Machine, typename Use::T>;
    if (job.seq > 0) {
      launch_chunks_back<typename Use::Main>(job, stream);
      launch_end<Steps>(job, Steps::kSharedBytes, stream);
    }
    launch_end<SsdBwdSums<cuda::Machine>>(job, 0, stream);
  }
  void meanwhile() const {
    if (job.shares > 1 && job.seq > 0) launch_end<SsdBwdMixers<cuda::Machine>>(job, 0, stream);
  }
  void sum(const OrderedSum& of) const { launch_sum(of, stream); }
};

}  // namespace

std::string takes_ssd_bwd_share(const Problem& problem) { return takes_bwd_mma(problem_as<SsdProblem>(problem)); }

std::unique_ptr<Prepared> prepare_ssd_bwd_share(const Problem& problem, Tensors& tensors, Context& context, Exchange how) {
  const auto& p = problem_as<SsdProblem>(problem);
  const int rank = context.link->rank();
  ready_bwd_bodies(p);
  return std::make_unique<OnDevice>(ssd_back_plan(p, rank, how), context.device_link, share_of(p, rank), tensors);
}

void run_ssd_bwd_share(const Problem& problem, Tensors&, Context& context) {
  const auto& on_device = static_cast<const OnDevice&>(*context.prepared);
  with_bwd_bodies(problem_as<SsdProblem>(problem), [&]<class Use>() {
    const OnStream<Use> on{on_device.job(), static_cast<cudaStream_t>(context.stream)};
    play_back(on_device.plan(), on_device.job(), on_device.gradients(), context.device_link, context.stream, on);
  });
}

}  // namespace bench::scan
