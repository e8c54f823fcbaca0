// SPDX-License-Identifier: Apache-2.0
// y = act(norm(x) w^T + bias) by LibTorch's products, on the host and on a device: in full width, and by its weight-only packed operators, norm and
// activation by operators of their own. Only *_torch.cpp files include this.
#pragma once

#include <ATen/ops/_weight_int8pack_mm.h>
#include <ATen/ops/add.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/from_blob.h>

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/linear/fused_torch.hpp"
#include "kernels/torch_form.hpp"

namespace bench::linear {

using Bytes = std::span<const std::byte>;
inline Bytes bytes_of(const at::Tensor& tensor) { return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()}; }

/// The weights as the recipe has them, on the host. On a device w comes home for it, once.
inline Quantised quantised_weights(const LinearProblem& p, const TorchTensors& in) {
  Tensor w(p.dtype, {p.n, p.k});
  as_torch(w).copy_(in["w"]);
  return quantise(w, p.recipe, p.dtype, p.threads);
}

/// A copy of numbers on the device of `like`, in its type.
template <class Value>
at::Tensor beside(const at::Tensor& like, const Shape& shape, Value&& value) {
  Tensor numbers(DType::f32, shape);
  for (std::int64_t i = 0; i < numbers.count(); ++i) numbers.set(i, static_cast<double>(value(i)));
  return as_torch(numbers).to(like.device(), like.scalar_type(), /*non_blocking=*/false, /*copy=*/true);
}

/// addmm in the problem's dtype; quantised weights are dequantised once and rounded to it.
class FullWidth {
 public:
  static constexpr const char* kOp = "linear";
  static constexpr bool kRecords = false;

  FullWidth(const Problem& problem, const TorchTensors& in) : problem_(problem_as<LinearProblem>(problem)), x_(in["x"]), w_(in["w"]), bias_(in["bias"]), y_(in["y"]) {
    if (!problem_.recipe.quantised()) return;
    const Quantised q = quantised_weights(problem_, in);
    w_ = beside(w_, {q.n, q.k}, [&](std::int64_t i) { return q.value(i / q.k, i % q.k); });
  }
  void run() {
    at::addmm_out(y_, bias_, normalised(problem_, x_), w_.t());
    activate(problem_, y_);
  }
  std::vector<Bytes> memory() const { return {bytes_of(w_)}; }

 private:
  LinearProblem problem_;
  at::Tensor x_, w_, bias_, y_;
};

/// _weight_int8pack_mm(x, codes, scales), then the bias. On a device it works in fp32 and takes scales of that type as they are.
class PackedInt8 {
 public:
  static constexpr const char* kOp = "linear";
  static constexpr bool kRecords = false;

  PackedInt8(const Problem& problem, const TorchTensors& in) : problem_(problem_as<LinearProblem>(problem)), x_(in["x"]), bias_(in["bias"]), y_(in["y"]) {
    Quantised q = quantised_weights(problem_, in);
    codes_ = at::from_blob(q.codes.data(), {q.n, q.k}, at::TensorOptions().dtype(at::kChar)).clone().to(x_.device());
    scale_ = beside(x_, {q.n}, [&](std::int64_t n) { return q.scale[static_cast<std::size_t>(n)]; });
    if (!x_.device().is_cpu()) scale_ = scale_.to(at::kFloat);
  }
  void run() {
    at::add_out(y_, at::_weight_int8pack_mm(normalised(problem_, x_), codes_, scale_), bias_);
    activate(problem_, y_);
  }
  std::vector<Bytes> memory() const { return {bytes_of(codes_), bytes_of(scale_)}; }

 private:
  LinearProblem problem_;
  at::Tensor x_, codes_, scale_, bias_, y_;
};

/// A weight-only 4-bit product, then the bias. Way: pack(codes 0..15 (N, K), on x's device) and product(x, packed, group, scales and zeros). A weight is
/// (code - 8) scale + zero, ours with codes 8 lower.
template <class Way>
class PackedInt4 {
 public:
  static constexpr const char* kOp = "linear";
  static constexpr bool kRecords = false;

  PackedInt4(const Problem& problem, const TorchTensors& in) : problem_(problem_as<LinearProblem>(problem)), x_(in["x"]), bias_(in["bias"]), y_(in["y"]) {
    const Quantised q = quantised_weights(problem_, in);
    const std::int64_t groups = q.groups();
    scales_and_zeros_ = beside(x_, {groups, q.n, 2}, [&](std::int64_t i) {
      const auto at = static_cast<std::size_t>(i / 2 % q.n * groups + i / 2 / q.n);
      return i % 2 == 0 ? q.scale[at] : q.zero[at];
    });
    std::vector<std::int32_t> codes(q.codes.size());
    for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = q.codes[i] + 8;
    weights_ = Way::pack(at::from_blob(codes.data(), {q.n, q.k}, at::TensorOptions().dtype(at::kInt)), x_.device());
  }
  void run() {
    at::add_out(y_, Way::product(normalised(problem_, x_), weights_, problem_.recipe.group, scales_and_zeros_), bias_);
    activate(problem_, y_);
  }
  std::vector<Bytes> memory() const { return {bytes_of(weights_), bytes_of(scales_and_zeros_)}; }

 private:
  LinearProblem problem_;
  at::Tensor x_, weights_, scales_and_zeros_, bias_, y_;
};

}  // namespace bench::linear
