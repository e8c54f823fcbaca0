// SPDX-License-Identifier: Apache-2.0
// The ssd op's tensors on the device and the job over them: what its cuda kernels make in prepare.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "kernels/device_tensors_cuda.hpp"
#include "kernels/scan/ssd_job.hpp"

namespace bench::scan {

class SsdOnDevice : public DeviceTensors {
 public:
  SsdOnDevice(const SsdProblem& p, Tensors& tensors) : SsdOnDevice(p, tensors, {"out", "h_last"}) {
    job_.out = data("out");
    job_.h_last = floats("h_last");
  }
  const SsdJob& job() const { return job_; }

 protected:
  /// With the inputs of both passes.
  SsdOnDevice(const SsdProblem& p, Tensors& tensors, std::vector<std::string> outputs)
      : DeviceTensors(tensors, std::move(outputs)), first_(to_device(firsts_of(p))), job_(ssd_job(p)) {
    job_.x = data("x");
    job_.z = p.gated ? data("z") : nullptr;
    job_.dt = data("dt");
    job_.b = data("B");
    job_.c = data("C");
    job_.a = floats("A");
    job_.skip = floats("D");
    job_.bias = floats("dt_bias");
    job_.h0 = floats("h0");
    job_.first = reinterpret_cast<const std::int32_t*>(first_.data());
  }
  float* floats(const std::string& name) const { return reinterpret_cast<float*>(data(name)); }

 private:
  device::DeviceBuffer first_;  // nothing where there is one sequence
  SsdJob job_;
};

}  // namespace bench::scan
