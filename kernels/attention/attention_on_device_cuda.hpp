// SPDX-License-Identifier: Apache-2.0
// A pass's tensors on the device and the job over them: what the cuda kernels of attention make in prepare.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "kernels/attention/device_job.hpp"
#include "kernels/device_tensors_cuda.hpp"

namespace bench::attention {

class AttentionOnDevice : public DeviceTensors {
 public:
  AttentionOnDevice(const AttentionProblem& p, Tensors& tensors, std::vector<std::string> outputs = {"out", "lse"})
      : DeviceTensors(tensors, std::move(outputs)), key_lengths_(to_device(key_lengths_of(p))), bounds_(to_device(bounds_of(p))), job_(device_job(p)) {
    job_.q = data("q");
    job_.k = data("k");
    job_.v = data("v");
    job_.out = data("out");
    job_.lse = reinterpret_cast<float*>(data("lse"));
    job_.key_lengths = reinterpret_cast<const std::int32_t*>(key_lengths_.data());
    job_.bounds = reinterpret_cast<const std::int32_t*>(bounds_.data());
  }
  const DeviceJob& job() const { return job_; }

 private:
  device::DeviceBuffer key_lengths_, bounds_;  // nothing where no key is padding, where there is one sequence
  DeviceJob job_;
};

}  // namespace bench::attention
