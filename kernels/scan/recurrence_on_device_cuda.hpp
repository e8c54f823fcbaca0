// SPDX-License-Identifier: Apache-2.0
// A recurrence's tensors on a device, and what its kernels need besides.
#pragma once

#include <cstdint>

#include "kernels/device_tensors_cuda.hpp"
#include "kernels/scan/recurrence_job.hpp"

namespace bench::scan {

class RecurrenceOnDevice : public DeviceTensors {
 public:
  /// The steps in one span.
  RecurrenceOnDevice(const RecurrenceProblem& p, Tensors& tensors);

  /// Cut into spans of so many tiles each, of so many tiles in all. `one_more`: and one without steps, so that the last one of them has a map too.
  void cut(std::int64_t tiles, std::int64_t tiles_a_span, std::int64_t number_bytes, bool one_more = false);
  /// Records for look-back, so many bytes of them; no launch has been yet.
  void add_records(std::int64_t bytes);
  const RecurrenceJob& job() const { return job_; }

 private:
  device::DeviceBuffer starts_, maps_, states_, records_, tickets_;
  RecurrenceJob job_;
};

}  // namespace bench::scan
