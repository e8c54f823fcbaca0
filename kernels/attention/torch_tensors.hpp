// SPDX-License-Identifier: Apache-2.0
// Attention's tensors as LibTorch's ops want them. Only *_torch.cpp files include this.
#pragma once

#include "kernels/attention/attention.hpp"
#include "kernels/torch_tensors.hpp"

namespace bench::attention {

/// (B, H, L, D) -> (B Hkv, H / Hkv, L, D) for queries and outputs, with stride 0 along the group for keys and
/// values.
inline at::Tensor grouped(Tensor& tensor, const AttentionProblem& p) {
  const at::Tensor whole = as_torch(tensor);
  const at::Tensor split = whole.view({p.batch * p.kv_heads, whole.size(1) / p.kv_heads, whole.size(2), p.head_dim});
  return split.expand({-1, p.group(), -1, -1});
}

}  // namespace bench::attention
