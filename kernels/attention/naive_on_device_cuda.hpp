// SPDX-License-Identifier: Apache-2.0
// The tensors of naive attention on the device, with room for all scores and weights.
#pragma once

#include "kernels/attention/attention_on_device_cuda.hpp"
#include "kernels/attention/naive_products.hpp"

namespace bench::attention {

/// B H L^2 scores in fp32, and as many weights in 16-bit tensors' type.
class NaiveOnDevice : public AttentionOnDevice {
 public:
  NaiveOnDevice(const AttentionProblem& p, Tensors& tensors)
      : AttentionOnDevice(p, tensors),
        scores_(count(p) * 4),
        weights_(p.dtype == DType::f32 ? 0 : count(p) * size_of(p.dtype)),
        naive_{job(), reinterpret_cast<float*>(scores_.data()), p.dtype == DType::f32 ? scores_.data() : weights_.data(), static_cast<int>(score_pitch(p.seq))} {}

  const NaiveJob& naive() const { return naive_; }

 private:
  static std::int64_t count(const AttentionProblem& p) { return p.batch * p.heads * p.seq * score_pitch(p.seq); }

  device::DeviceBuffer scores_, weights_;
  NaiveJob naive_;
};

/// Why the products do not take a problem; empty when they do. fp32 elements are fetched one by one.
inline std::string naive_supports(const Problem& problem) {
  constexpr std::int64_t kMost = 1024;
  const auto& p = problem_as<AttentionProblem>(problem);
  return p.dtype == DType::f32 ? std::string() : needs_whole_chunks(p.head_dim, kMost);
}

}  // namespace bench::attention
