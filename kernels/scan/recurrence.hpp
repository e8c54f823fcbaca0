// SPDX-License-Identifier: Apache-2.0
// The recurrence op: h_t = a_t * h_{t-1} + b_t per batch entry and channel, the diagonal linear recurrence of
// minGRU, RG-LRU, S5, HGRN.
//
// Tensors, row-major: a, b (B, L, C) in the problem's dtype and h0 (B, C) -> h (B, L, C) in the problem's
// dtype and h_last (B, C), the state after the last step. h0 and h_last are fp32 (fp64 for fp64 problems), as
// is the state while it runs. With time_axis = last, a, b and h are (B, C, L). Ranks hold contiguous runs of steps of a, b and h; h0 and h_last are whole on
// every rank. With complex = true all of these are complex: each has one more axis, the last, of a real and an imaginary part.
// The backward pass has its own tensors: recurrence_bwd.hpp. Sequences may be packed along the steps: segments.hpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "kernels/scan/recurrence_complex.hpp"
#include "kernels/scan/segments.hpp"

namespace bench::scan {

struct RecurrenceProblem : ScanProblem {
  std::int64_t channels = 1024;  // C
  bool time_last = false;        // tensors are (B, C, L), not (B, L, C)
  bool complex = false;          // their elements are complex: (B, L, C, 2)

  int time_axis() const { return time_last ? 2 : 1; }
  Shape shape(std::int64_t steps) const {
    return of_numbers(time_last ? Shape{batch, channels, steps} : Shape{batch, steps, channels});
  }
  Shape state_shape() const { return of_numbers({batch, channels}); }
  /// Real numbers of a state for each entry and channel, and of a step.
  std::int64_t parts() const { return complex ? 2 : 1; }
  /// A tensor of decays whose states are kept for many steps and stay of order 1; see recurrence.cpp.
  TensorSpec decays() const;

 private:
  Shape of_numbers(Shape shape) const {
    if (complex) shape.push_back(2);
    return shape;
  }
};

/// Element (entry i, step t, channel c) of a tensor in either layout.
template <class T>
T& at_step(const RecurrenceProblem& p, View<T, 3> tensor, std::int64_t i, std::int64_t t, std::int64_t c) {
  return p.time_last ? tensor(i, c, t) : tensor(i, t, c);
}

/// Why a kernel that works on real numbers, on rows of channels (of these), or on lines of steps (of these), does not take a problem; empty when it does.
std::string needs_real_numbers(const Problem& problem);
std::string needs_one_real_sequence(const Problem& problem);
std::string needs_time_middle(const Problem& problem);
std::string needs_time_last(const Problem& problem);

/// The fp64 oracle: the formula, step by step. Inputs a, b, h0 in fp64; outputs h at `rows`, and h_last. For
/// a backward problem that of recurrence_bwd.hpp.
Tensors recurrence_reference(const Problem& problem, const Tensors& inputs,
                             std::span<const std::int64_t> rows);

}  // namespace bench::scan
