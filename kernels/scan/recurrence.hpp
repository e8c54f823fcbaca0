// SPDX-License-Identifier: Apache-2.0
// The recurrence op: h_t = a_t * h_{t-1} + b_t per batch entry and channel, the diagonal linear recurrence of
// minGRU, RG-LRU, S5, HGRN.
//
// Tensors, row-major: a, b (B, L, C) in the problem's dtype and h0 (B, C) -> h (B, L, C) in the problem's
// dtype and h_last (B, C), the state after the last step. h0 and h_last are fp32 (fp64 for fp64 problems), as
// is the state while it runs. With time_axis = last, a, b and h are (B, C, L). Ranks hold contiguous runs of steps of a, b and h; h0 and h_last are whole on
// every rank. The backward pass has its own tensors: recurrence_bwd.hpp. Sequences may be packed along the steps: segments.hpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "kernels/scan/segments.hpp"

namespace bench::scan {

struct RecurrenceProblem : ScanProblem {
  std::int64_t channels = 1024;  // C
  bool time_last = false;        // tensors are (B, C, L), not (B, L, C)

  int time_axis() const { return time_last ? 2 : 1; }
  Shape shape(std::int64_t steps) const {
    return time_last ? Shape{batch, channels, steps} : Shape{batch, steps, channels};
  }
};

/// Element (entry i, step t, channel c) of a tensor in either layout.
template <class T>
T& at_step(const RecurrenceProblem& p, View<T, 3> tensor, std::int64_t i, std::int64_t t, std::int64_t c) {
  return p.time_last ? tensor(i, c, t) : tensor(i, t, c);
}

/// Why a kernel that works on rows of channels, or on lines of steps, does not take a problem; empty when it does.
std::string needs_time_middle(const Problem& problem);
std::string needs_time_last(const Problem& problem);

/// The fp64 oracle: the formula, step by step. Inputs a, b, h0 in fp64; outputs h at `rows`, and h_last. For
/// a backward problem that of recurrence_bwd.hpp.
Tensors recurrence_reference(const Problem& problem, const Tensors& inputs,
                             std::span<const std::int64_t> rows);

}  // namespace bench::scan
