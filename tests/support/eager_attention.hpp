// SPDX-License-Identifier: Apache-2.0
// Attention as an eager framework computes it in 16 bits, and the rule by which FlashAttention-3 accepts a kernel: it may be off by twice what
// that computation is off by. A ruler beside the op's own tolerance, which argues from rounding alone.
#pragma once

#include <string>
#include <vector>

#include "kernels/attention/attention.hpp"
#include "src/core/tensor.hpp"

namespace bench::support {

/// One product after the other over whole score matrices, every intermediate rounded to the problem's dtype: scaled keys, scores, weights, results; backward
/// their gradients likewise. Sums inside a product are exact. `inputs` in fp64; forward -> out, backward -> dq, dk, dv, in fp64, of rounded values.
Tensors eager_attention(const attention::AttentionProblem& problem, const Tensors& inputs);

struct RuleError {
  std::string name;
  double error = 0.0, allowed = 0.0;
  std::string text() const;
};

/// flash-attention, hopper/test_flash_attn.py: max|x - ref| <= r max|eager - ref| + 2 max|(ref + 0.3) - 0.3 - ref| in the dtype's arithmetic, ref the fp64 oracle's
/// answer rounded to the dtype, r = 2, with capped scores 3 and gradients 3e-4 more. lse: 1e-3 absolutely.
class Fa3Rule {
 public:
  Fa3Rule(const attention::AttentionProblem& problem, const Tensors& inputs);
  /// One entry for each of the op's outputs, in its order; `outputs` are a kernel's, whole.
  std::vector<RuleError> errors(const Tensors& outputs) const;

 private:
  Tensors rounded_;              // the oracle's answer
  std::vector<double> allowed_;  // one for each of them
};

/// N(0, 1) + N(0, 100) in one element of a thousand (FlashAttention-3's paper, section 4.3), in place, rounded to the tensors' dtypes.
void add_outliers(Tensors& inputs, std::uint64_t seed);

}  // namespace bench::support
