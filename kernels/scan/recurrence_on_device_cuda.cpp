// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/recurrence_on_device_cuda.hpp"

#include <cuda_runtime_api.h>

#include "src/device/check.hpp"

namespace bench::scan {
namespace {

std::vector<std::string> outputs_of(const RecurrenceProblem& p) {
  return p.backward() ? std::vector<std::string>{"da", "db", "dh0"} : std::vector<std::string>{"h", "h_last"};
}

device::DeviceBuffer zeros(std::int64_t bytes) {
  device::DeviceBuffer buffer(bytes);
  BS_CUDA(cudaMemset(buffer.data(), 0, static_cast<std::size_t>(bytes)));
  BS_CUDA(cudaStreamSynchronize(nullptr));  // other streams do not wait for it
  return buffer;
}

}  // namespace

RecurrenceOnDevice::RecurrenceOnDevice(const RecurrenceProblem& p, Tensors& tensors) : DeviceTensors(tensors, outputs_of(p)), job_(recurrence_job(p)) {
  if (!p.starts.empty()) {
    starts_ = to_device(start_bits(p.starts, p.seq));
    job_.starts = reinterpret_cast<const std::uint32_t*>(starts_.data());
  }
  job_.a = data("a");
  job_.h0 = data("h0");
  if (p.backward()) {
    job_.x = data("dh");
    job_.h = data("h");
    job_.y = data("db");
    job_.da = data("da");
    job_.seed = data("dh_last");
    job_.end = data("dh0");
  } else {
    job_.x = data("b");
    job_.y = data("h");
    job_.seed = data("h0");
    job_.end = data("h_last");
  }
}

void RecurrenceOnDevice::cut(std::int64_t tiles, std::int64_t tiles_a_span, std::int64_t number_bytes, bool one_more) {
  job_.tiles_a_span = tiles_a_span;
  job_.spans = ceil_div(tiles, tiles_a_span) + (one_more ? 1 : 0);
  if (job_.spans == 1) return;
  const std::int64_t numbers = job_.batch * job_.channels * job_.spans;
  maps_ = device::DeviceBuffer(2 * numbers * number_bytes);
  states_ = device::DeviceBuffer(numbers * number_bytes);
  job_.maps = maps_.data();
  job_.states = states_.data();
}

void RecurrenceOnDevice::add_records(std::int64_t bytes) {
  records_ = zeros(bytes);
  tickets_ = zeros(sizeof(std::uint64_t));
  job_.records = records_.data();
  job_.tickets = reinterpret_cast<std::uint64_t*>(tickets_.data());
}

}  // namespace bench::scan
