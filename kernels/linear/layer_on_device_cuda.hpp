// SPDX-License-Identifier: Apache-2.0
// A layer on a device whose product is one of matrices: x, normalised by a launch of its own where there is a norm, times the transposed w. What the device's kernels for many rows
// make in prepare.
#pragma once

#include "kernels/cuda/gemm.hpp"
#include "kernels/device_tensors_cuda.hpp"
#include "kernels/linear/finish.hpp"
#include "kernels/linear/linear.hpp"
#include "kernels/linear/row_norm.hpp"

namespace bench::linear {

class LayerOnDevice : public DeviceTensors {
 public:
  /// With `dense`, the weights in full width; without, w stays at home, since the product reads something else.
  /// `columns` are those of the product's tiles, which run asks for again.
  LayerOnDevice(const LinearProblem& p, Tensors& tensors, bool dense, int columns = 0)
      : DeviceTensors(tensors, {"y"}, {"w"}),
        dense_(dense ? p.n * p.k * size_of(p.dtype) : 0),
        normed_(p.norm == Norm::none ? 0 : p.m * p.k * size_of(p.dtype)),
        tile_columns_(columns) {
    if (dense) upload_weights(p, tensors["w"]);
    finish.bias = data("bias");
    finish.activation = p.activation;
    job.a = p.norm == Norm::none ? data("x") : normed_.data();
    job.b = dense_.data();
    job.c = data("y");
    job.m = static_cast<int>(p.m);
    job.n = job.pitch_c = static_cast<int>(p.n);
    job.k = job.pitch_a = job.pitch_b = static_cast<int>(p.k);
  }

  cuda::GemmJob job{};
  Finish finish{};
  int tile_columns() const { return tile_columns_; }
  NormRowsJob norm_rows() const { return {data("x"), normed_.data(), job.m, job.k}; }

 private:
  /// A quantised recipe's are dequantised and rounded to the layer's dtype: what a layer costs that cannot read codes, on the same numbers.
  void upload_weights(const LinearProblem& p, const Tensor& w) {
    if (!p.recipe.quantised()) return copy_to_device(dense_.data(), w.data(), w.bytes());
    const Quantised q = quantise(w, p.recipe, p.dtype, p.threads);
    Tensor values(p.dtype, {p.n, p.k});
    for (std::int64_t i = 0; i < p.n * p.k; ++i) values.set(i, static_cast<double>(q.value(i / p.k, i % p.k)));
    copy_to_device(dense_.data(), values.data(), values.bytes());
  }

  device::DeviceBuffer dense_, normed_;
  int tile_columns_;
};

}  // namespace bench::linear
