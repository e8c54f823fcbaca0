// SPDX-License-Identifier: Apache-2.0
// The project's tensors as LibTorch sees them: the same memory, no copy. Only *_torch.cpp files include this.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>

#include "kernels/attention/attention.hpp"
#include "src/core/tensor.hpp"

namespace bench::attention {

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

/// A contiguous at::Tensor over the tensor's memory, which must outlive it. Inputs are given as non-const
/// because ATen has no const view; the ops used here do not write them.
inline at::Tensor as_torch(Tensor& tensor) {
  return at::from_blob(tensor.data(), tensor.shape(), at::TensorOptions().dtype(scalar_type(tensor.dtype())));
}

/// (B, H, L, D) -> (B Hkv, H / Hkv, L, D) for queries and outputs, with stride 0 along the group for keys and
/// values.
inline at::Tensor grouped(Tensor& tensor, const AttentionProblem& p) {
  const at::Tensor whole = as_torch(tensor);
  const at::Tensor split = whole.view({p.batch * p.kv_heads, whole.size(1) / p.kv_heads, p.seq, p.head_dim});
  return split.expand({-1, p.group(), -1, -1});
}

/// Makes LibTorch's own loops use this many threads from here on. The setting is global: every kernel sets it
/// before it computes.
inline void use_threads(std::int64_t threads) {
  if (at::get_num_threads() != threads) at::set_num_threads(static_cast<int>(threads));
}

}  // namespace bench::attention
