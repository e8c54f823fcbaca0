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

std::unique_ptr<Prepared> prepare_selective_back(Meeting meeting, const Problem& problem, Tensors& tensors);
void run_selective_back(const Problem& problem, const Context& context);

}  // namespace bench::scan
