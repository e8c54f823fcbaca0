// SPDX-License-Identifier: Apache-2.0
// The recurrence op: h_t = a_t * h_{t-1} + b_t per batch entry and channel, the diagonal linear recurrence of
// minGRU, RG-LRU, S5, HGRN.
//
// Tensors, row-major: a, b (B, L, C) in the problem's dtype and h0 (B, C) -> h (B, L, C) in the problem's
// dtype and h_last (B, C), the state after the last step. h0 and h_last are fp32 (fp64 for fp64 problems), as
// is the state while it runs. Ranks hold contiguous runs of steps of a, b and h; h0 and h_last are whole on
// every rank. The backward pass has its own tensors: recurrence_bwd.hpp.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/problem.hpp"

namespace bench::scan {

struct RecurrenceProblem : Problem {
  std::int64_t batch = 1;        // B
  std::int64_t seq = 4096;       // L
  std::int64_t channels = 1024;  // C

  bool backward() const { return pass == "bwd"; }
};

/// The fp64 oracle: the formula, step by step. Inputs a, b, h0 in fp64; outputs h at `rows`, and h_last. For
/// a backward problem that of recurrence_bwd.hpp.
Tensors recurrence_reference(const Problem& problem, const Tensors& inputs,
                             std::span<const std::int64_t> rows);

}  // namespace bench::scan
