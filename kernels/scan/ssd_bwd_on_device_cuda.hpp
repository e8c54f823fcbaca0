// SPDX-License-Identifier: Apache-2.0
// The tensors of a backward problem of the ssd op on the device, the scratch that its launches hand each other, and the job over them: what its cuda kernels
// make in prepare.
#pragma once

#include <string>
#include <vector>

#include "kernels/scan/ssd_bwd.hpp"
#include "kernels/scan/ssd_bwd_job.hpp"
#include "kernels/scan/ssd_on_device_cuda.hpp"

namespace bench::scan {

inline std::vector<std::string> ssd_bwd_output_names(const SsdProblem& p) {
  std::vector<std::string> names;
  for (const TensorSpec& spec : ssd_bwd_outputs(p)) names.push_back(spec.name);
  return names;
}

class SsdBwdOnDevice final : public SsdOnDevice {
 public:
  SsdBwdOnDevice(const SsdProblem& p, Tensors& tensors) : SsdOnDevice(p, tensors, ssd_bwd_output_names(p)), job_{SsdOnDevice::job()} {
    const SsdBwdScratch size(p);
    job_.dout = data("dout");
    job_.out = p.gated ? data("dz") : nullptr;
    job_.dx = data("dx");
    job_.ddt = data("ddt");
    job_.dh_last = floats("dh_last");
    job_.da = floats("dA"), job_.dskip = floats("dD"), job_.dbias = floats("ddt_bias"), job_.dh0 = floats("dh0");
    job_.db = floats("dB"), job_.dc = floats("dC");
    job_.shares = static_cast<int>(size.shares);
    job_.h_last = scratch<float>(0, p.batch * p.heads * p.head_states());
    job_.states = before_ = scratch<float>(1, size.states);
    after_ = scratch<float>(2, size.states);
    job_.before = before_, job_.after = after_;
    job_.keep = scratch<float>(3, size.keep);
    job_.db_shares = size.shares > 1 ? scratch<float>(4, size.mixers) : job_.db;
    job_.dc_shares = size.shares > 1 ? scratch<float>(5, size.mixers) : job_.dc;
    job_.sums = scratch<SsdStepSums>(6, size.sums);
    job_.span_sums = scratch<SsdStepSums>(7, size.span_sums);
  }
  const SsdBwdJob& job() const { return job_; }
  /// The same for the launches that make gradients of states.
  SsdBwdJob gradients() const {
    SsdBwdJob job = job_;
    job.states = after_;
    return job;
  }

 private:
  template <class T>
  T* scratch(int which, std::int64_t count) {
    buffers_[which] = device::DeviceBuffer(count * static_cast<std::int64_t>(sizeof(T)));
    return reinterpret_cast<T*>(buffers_[which].data());
  }

  device::DeviceBuffer buffers_[8];
  float *before_, *after_;
  SsdBwdJob job_;
};

}  // namespace bench::scan
