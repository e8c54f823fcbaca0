// SPDX-License-Identifier: Apache-2.0
// The problem that tests of attention on a device begin with.
#pragma once

#include <string>

#include "kernels/attention/attention.hpp"

namespace bench::test {

/// One sequence, four query heads on two.
inline attention::AttentionProblem grouped_problem(const std::string& pass, DType dtype, std::int64_t seq, std::int64_t head_dim, bool causal) {
  attention::AttentionProblem p;
  p.pass = pass;
  p.dtype = dtype;
  p.seq = seq;
  p.head_dim = head_dim;
  p.causal = causal;
  p.heads = 4;
  p.kv_heads = 2;
  return p;
}

}  // namespace bench::test
