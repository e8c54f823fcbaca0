// SPDX-License-Identifier: Apache-2.0
// What launches of a backward attention kernel on a device share: its tensors and scratch, what stands before and behind the main kernel.
#pragma once

#include <cuda_runtime.h>

#include "kernels/attention/attention_on_device_cuda.hpp"
#include "kernels/attention/bwd_rows.hpp"
#include "kernels/attention/saved_forward.hpp"
#include "kernels/cuda/launch.cuh"

namespace bench::attention {

/// A backward pass's tensors and scratch on the device, and the job over them. The forward pass's out and lse are given.
class AttentionBwdOnDevice : public AttentionOnDevice {
 public:
  /// For blocks of `rows` rows of `columns` columns, whose sums are added in order in so many parts; 0: in any order.
  AttentionBwdOnDevice(const AttentionProblem& p, Tensors& tensors, int rows, int columns, int turn_parts)
      : AttentionOnDevice(p, tensors, {"dq", "dk", "dv"}),
        size_(p, rows, columns, turn_parts),
        rows_(size_.rows * static_cast<std::int64_t>(sizeof(RowNumbers))),
        sums_(size_.sums * static_cast<std::int64_t>(sizeof(float))),
        turns_(turn_parts > 0 ? (size_.turns + 1) * static_cast<std::int64_t>(sizeof(int)) : 0),
        job_{AttentionOnDevice::job()} {
    job_.dout = data("dout");
    job_.dq = data("dq");
    job_.dk = data("dk");
    job_.dv = data("dv");
    job_.rows = reinterpret_cast<RowNumbers*>(rows_.data());
    job_.dq_sums = reinterpret_cast<float*>(sums_.data());
    job_.turn_parts = turn_parts;
    if (turn_parts == 0) return;
    job_.turns = reinterpret_cast<int*>(turns_.data());
    job_.tickets = job_.turns + size_.turns;
  }
  const BwdJob& job() const { return job_; }

 private:
  BwdScratch size_;
  device::DeviceBuffer rows_, sums_, turns_;
  BwdJob job_;
};

inline std::int64_t bwd_workspace_bytes(const Problem& problem) { return save_forward_workspace_bytes(problem_as<AttentionProblem>(problem)); }

using cuda::take_shared_memory;

/// A kernel without shared memory: BwdRows or BwdQueries.
template <class Body>
__global__ void __launch_bounds__(Body::kThreads) bwd_part(const __grid_constant__ BwdJob job) {
  Body::run(job);
}
template <class Body>
void launch_part(const BwdJob& job, cudaStream_t stream) {
  bwd_part<Body><<<Body::blocks(job), Body::kThreads, 0, stream>>>(job);
  BS_CUDA(cudaGetLastError());
}

}  // namespace bench::attention
