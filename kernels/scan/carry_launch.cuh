// SPDX-License-Identifier: Apache-2.0
// Launches what a CarrySchedule asks for besides a scan's own passes, and has the memory that its messages lie in.
#pragma once

#include <cuda_runtime.h>

#include <memory>
#include <utility>

#include "kernels/cuda/machine.cuh"
#include "kernels/device_tensors_cuda.hpp"
#include "kernels/scan/carry_device.hpp"
#include "src/device/check.hpp"

namespace bench::scan {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) carry_through(const __grid_constant__ CarryJob job) {
  Body::run(job);
}

template <template <class> class Decays>
void launch_carry(const CarryJob& job, void* stream) {
  using Body = CarryThrough<cuda::Machine, Decays<cuda::Machine>>;
  carry_through<Body><<<static_cast<unsigned>(Body::blocks(job)), Body::kThreads, 0, static_cast<cudaStream_t>(stream)>>>(job);
  BS_CUDA(cudaGetLastError());
}

/// A scan's tensors on its device, as it has them for one rank, and a plan.
template <class OnDevice>
class WithCarries final : public OnDevice {
 public:
  /// `link` is null for one rank.
  template <class... Arguments>
  WithCarries(CarryPlan made, DeviceLink* link, Arguments&&... arguments) : OnDevice(std::forward<Arguments>(arguments)...), plan_(std::move(made)) {
    if (link != nullptr) memory_ = link->message_memory(plan_.memory_bytes());
    plan_.memory = memory_ ? reinterpret_cast<float*>(memory_->data()) : nullptr;
    plan_.h0 = reinterpret_cast<const float*>(this->data("h0"));
  }
  CarryPlan& plan() { return plan_; }
  const CarryPlan& plan() const { return plan_; }

  /// h_last comes from the records: the scans' own is that behind their share.
  void collect(Tensors& tensors) const override {
    OnDevice::collect(tensors);
    if (!memory_) return;
    Tensor& h_last = tensors["h_last"];
    copy_from_device(h_last.data(), reinterpret_cast<const std::byte*>(plan_.states(kLast)), h_last.bytes());
  }

 private:
  std::unique_ptr<MessageMemory> memory_;
  CarryPlan plan_;
};

}  // namespace bench::scan
