// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/recurrence_bwd_share_device.hpp"

#include <type_traits>
#include <utility>

#include "kernels/scan/carry_launch.cuh"
#include "kernels/scan/recurrence_reduce_scan_launch.cuh"

namespace bench::scan {
namespace {

using ReduceScan = ReduceScanKernel<Sweep::backward>;

class OnDevice final : public RecurrenceOnDevice {
 public:
  /// `link` is null for one rank.
  OnDevice(RecurrenceBackPlan made, DeviceLink* link, const RecurrenceProblem& share, Tensors& tensors) : RecurrenceOnDevice(share, tensors), plan_(std::move(made)) {
    if (link != nullptr) memory_ = link->message_memory(plan_.memory_bytes());
    plan_.carries.memory = memory_ ? reinterpret_cast<float*>(memory_->data()) : nullptr;
    plan_.carries.h0 = reinterpret_cast<const float*>(data("dh_last"));
  }
  const RecurrenceBackPlan& plan() const { return plan_; }

  /// dh0 comes from the records: the scans' own is what leaves their share.
  void collect(Tensors& tensors) const override {
    RecurrenceOnDevice::collect(tensors);
    if (!memory_) return;
    Tensor& dh0 = tensors["dh0"];
    copy_from_device(dh0.data(), reinterpret_cast<const std::byte*>(plan_.carries.states(kLast)), dh0.bytes());
  }

 private:
  std::unique_ptr<MessageMemory> memory_;
  RecurrenceBackPlan plan_;
};

template <class Body, class Job>
__global__ void __launch_bounds__(Body::kThreads) recurrence_share_part(const __grid_constant__ Job job) {
  Body::run(job);
}

struct OnStream {
  using Machine = cuda::Machine;
  cudaStream_t stream;

  template <class Body, class Job>
  void launch(const Job& job) const {
    recurrence_share_part<Body><<<static_cast<unsigned>(Body::blocks(job)), Body::kThreads, Body::kSharedBytes, stream>>>(job);
    BS_CUDA(cudaGetLastError());
  }
  void carry(const CarryJob& job) const { launch_carry<ProductDecays>(job, stream); }
};

/// Calls f with the tile for this problem's elements, which are real.
template <class F>
void with_real_tile(const RecurrenceProblem& p, F&& f) {
  ReduceScan::with_tile_of<Sweep::backward>(p, [&]<class Tile>() {
    if constexpr (std::is_same_v<typename Tile::Number, float>) f.template operator()<Tile>();
  });
}

}  // namespace

std::string takes_recurrence_bwd_share(const Problem& problem) {
  if (problem_as<RecurrenceProblem>(problem).complex) return "complex = true: this kernel's carries are real";
  return ReduceScan::supports(problem);
}

std::unique_ptr<Prepared> prepare_recurrence_bwd_share(const Problem& problem, Tensors& tensors, Context& context, Exchange how) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  const int rank = context.link->rank();
  auto on_device = std::make_unique<OnDevice>(recurrence_back_plan(p, rank, how), context.device_link, share_of(p, rank), tensors);
  with_real_tile(p, [&]<class Tile>() { on_device->cut(Tile::tiles(on_device->job()), ReduceScan::kTilesASpan, sizeof(float), true); });
  return on_device;
}

void run_recurrence_bwd_share(const Problem& problem, Tensors&, Context& context) {
  const auto& on_device = static_cast<const OnDevice&>(*context.prepared);
  const OnStream on{static_cast<cudaStream_t>(context.stream)};
  with_real_tile(problem_as<RecurrenceProblem>(problem), [&]<class Tile>() { play_back<Tile>(on_device.plan(), on_device.job(), context.device_link, context.stream, on); });
}

}  // namespace bench::scan
