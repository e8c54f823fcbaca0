// SPDX-License-Identifier: Apache-2.0
// The project's tensors as LibTorch sees them: the same memory, no copy. Only *_torch.cpp files include this.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>

#include "src/core/tensor.hpp"

namespace bench {

inline at::ScalarType scalar_type(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return at::kDouble;
    case DType::f32:
      return at::kFloat;
    case DType::bf16:
      return at::kBFloat16;
    case DType::f16:
      return at::kHalf;
  }
  throw Error(ErrorKind::internal, "scalar_type: not an element type");
}

/// A contiguous at::Tensor over the tensor's memory, which must outlive it. ATen has no view of constants:
/// inputs come as non-const, and the kernels take care not to write them.
inline at::Tensor as_torch(Tensor& tensor) {
  return at::from_blob(tensor.data(), tensor.shape(), at::TensorOptions().dtype(scalar_type(tensor.dtype())));
}

/// Makes LibTorch's own loops use this many threads from here on. The setting is global: every kernel sets it
/// before it computes.
inline void use_threads(std::int64_t threads) {
  if (at::get_num_threads() != threads) at::set_num_threads(static_cast<int>(threads));
}

}  // namespace bench
