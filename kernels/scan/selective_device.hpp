// SPDX-License-Identifier: Apache-2.0
// What a device's kernels of the selective scan have in common: tensors and states on the device, and walks over the steps (selective_walk.hpp).
#pragma once

#include <cstdint>
#include <string>

#include "kernels/device_tensors_cuda.hpp"
#include "kernels/scan/selective_job.hpp"

namespace bench::scan {

/// How a walk is launched for a problem. In files that are compiled with CUDA.
struct Walker {
  /// Blocks for all steps in one chunk, and how many of them the current device runs at once; makes the walk ready for its launches. `dense`: many
  /// states a lane, for problems that fill the device; else many lanes.
  std::int64_t (*blocks)(const SelectiveProblem&, bool dense);
  std::int64_t (*slots)(const SelectiveProblem&, bool dense);
  void (*launch)(const SelectiveProblem&, bool dense, const SelectiveJob&, void* stream);
};
extern const Walker kWriteOutputs;  // selective_cuda.cu: Walk::output
extern const Walker kLeaveCarries;  // selective_chunked_cuda.cu: Walk::carry

/// Tensors, packed sequences' starts and, for `chunks` of so many steps, what those leave; `last_too`: the last one as well.
class SelectiveOnDevice : public DeviceTensors {
 public:
  SelectiveOnDevice(const SelectiveProblem& p, Tensors& tensors, const ChunkPlan& plan, bool dense, bool last_too = false);
  const SelectiveJob& job() const { return job_; }
  bool dense() const { return dense_; }

 private:
  device::DeviceBuffer starts_, states_, sums_;
  SelectiveJob job_;
  bool dense_;
};

/// The addresses of the inputs that both passes have.
void set_inputs(SelectiveJob& job, const DeviceTensors& tensors);

inline constexpr std::int64_t kMostStates = 256;
std::string takes_selective(const Problem& problem);  // Kernel::supports

/// Whether dense blocks are at least two for every place that the device has for them.
bool dense_fills(const Walker& walker, const SelectiveProblem& p);
void launch_combine(const SelectiveJob& job, void* stream);

}  // namespace bench::scan
