// SPDX-License-Identifier: Apache-2.0
// What a device's kernels of the selective scan's backward pass have in common: tensors, states and partial sums on the device, and the launches.
#pragma once

#include <memory>

#include "kernels/device_tensors_cuda.hpp"
#include "kernels/scan/selective_back_job.hpp"

namespace bench::scan {

/// How a group's blocks, of some channels each, come to one dB and dC.
enum class Meeting : std::uint8_t {
  as_they_come,  // fp32 additions in global memory
  in_order,      // a place each, added up by a last launch: the same bits in every run
};

/// Tensors, packed sequences' starts, the states before every so many steps, and partial sums.
class SelectiveBackOnDevice : public DeviceTensors {
 public:
  SelectiveBackOnDevice(const SelectiveProblem& p, Tensors& tensors, Meeting meeting);
  const SelectiveBackJob& job() const { return job_; }
  float* numbers(const char* name) const { return reinterpret_cast<float*>(data(name)); }
  /// dB and dC of blocks that have a place each; nothing to do for others.
  void sum_mixers(void* stream) const;

 private:
  void set_gradients();

  std::int64_t pieces_;  // blocks of a group
  device::DeviceBuffer starts_, states_, da_, dskip_, dbias_, db_, dc_;
  SelectiveBackJob job_;
  bool sums_mixers_ = false;
};

/// From one state that the walk back is left to the next.
std::int64_t selective_mark_steps(const SelectiveProblem& p);
/// SelectiveBack, once those are there: makes it ready for its launches; launches it.
void ready_back_walk(const SelectiveProblem& p);
void launch_back_walk(const SelectiveProblem& p, const SelectiveBackJob& job, void* stream);

std::unique_ptr<Prepared> prepare_selective_back(Meeting meeting, const Problem& problem, Tensors& tensors);
void run_selective_back(const Problem& problem, const Context& context);

}  // namespace bench::scan
