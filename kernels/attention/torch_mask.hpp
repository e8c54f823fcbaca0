// SPDX-License-Identifier: Apache-2.0
// The problem's window, padding, packed sequences and alignment as the additive masks that LibTorch's attention ops take. Only
// *_torch.cpp files include this.
#pragma once

#include <ATen/ops/zeros.h>

#include <limits>

#include "kernels/attention/attention.hpp"
#include "kernels/attention/torch_tensors.hpp"
#include "kernels/kernel.hpp"

namespace bench::attention {

struct TorchMask : Prepared {
  at::Tensor values;  // 0 where a key is seen, minus infinity elsewhere; undefined where nothing is masked

  std::optional<at::Tensor> optional() const {
    return values.defined() ? std::optional(values) : std::nullopt;
  }
};

/// (sequences, 1, rows, Lk) in the tensors' dtype, each 1 where it would repeat: one sequence when none is
/// padded, one row when there is neither window nor packing. Without causality, unless `causal`, which needs all rows.
inline at::Tensor additive_mask(const AttentionProblem& problem, bool causal) {
  AttentionProblem p = problem;
  p.causal = causal;
  const std::int64_t sequences = p.key_lengths.empty() ? 1 : p.batch,
                     rows = causal || p.hides_first_keys() ? p.seq : 1;
  const at::Tensor mask = at::zeros({sequences, 1, rows, p.kv_length()}, scalar_type(p.dtype));
  for (std::int64_t b = 0; b < sequences; ++b) {
    for (std::int64_t i = 0; i < rows; ++i) {
      const KeyRange keys = p.visible(b, i);
      const at::Tensor row = mask.select(0, b).select(0, 0).select(0, i);
      row.narrow(0, 0, keys.first).fill_(-std::numeric_limits<double>::infinity());
      row.narrow(0, keys.end, p.kv_length() - keys.end).fill_(-std::numeric_limits<double>::infinity());
    }
  }
  return mask;
}

/// The mask of the flash ops, which have a causal flag of their own: for each (sequence, key/value head),
/// their batch here (grouped).
inline std::unique_ptr<TorchMask> flash_mask(const AttentionProblem& p) {
  auto mask = std::make_unique<TorchMask>();
  if (p.masked()) mask->values = additive_mask(p, false);
  if (!p.key_lengths.empty()) mask->values = mask->values.repeat_interleave(p.kv_heads, 0);
  return mask;
}

/// The mask of the composite op, which takes either a mask or its causal flag.
inline std::unique_ptr<TorchMask> math_mask(const AttentionProblem& p) {
  auto mask = std::make_unique<TorchMask>();
  if (p.masked()) mask->values = additive_mask(p, p.causal);
  return mask;
}

/// Kernel::supports of the composite ops. What they do to scores before softmax is to add a mask.
inline std::string supports_math_mask(const Problem& problem) {
  return supports_only(problem, {Feature::window, Feature::padding, Feature::kv_seq, Feature::segments});
}

/// Why a causal flag of LibTorch's is not the problem's; empty when it is.
inline std::string supports_causal_flag(const AttentionProblem& p) {
  return p.causal && !p.own_keys() ? "LibTorch's causal flag aligns the first query with the first key, not the last with the last" : "";
}

/// Kernel::supports of the flash ops. If any row of a batch entry sees no key, its first or its last one sees none.
inline std::string supports_flash_mask(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (const std::string reason = supports_causal_flag(p); !reason.empty()) return reason;
  for (std::int64_t b = 0; b < p.batch; ++b)
    if (p.visible(b, 0).size() == 0 || p.visible(b, p.seq - 1).size() == 0)
      return "LibTorch's op gives rows that see no key lse = 0 instead of minus infinity";
  return supports_math_mask(problem);
}

}  // namespace bench::attention
