// SPDX-License-Identifier: Apache-2.0
// The vector engine of Mamba-2's scan: neighbouring elements of one head, lanes = elements, a tile of the
// head's state in registers; all heads of a chunk of steps before the next chunk, so that B and C are packed
// once for all heads and the rows of x and out are used whole. fp64 tensors are computed in fp64, all others
// in fp32. Layouts in here are row-major as in the tensors; packing is the engine's own affair.
#pragma once

#include <cstdint>

#include "kernels/isa.hpp"
#include "kernels/scan/ssd.hpp"

namespace bench::scan {

inline constexpr std::int64_t kSsdSteps = 64;     // of a chunk: amortises loading and storing the state
inline constexpr std::int64_t kSsdElements = 64;  // of a strip, at most: a chunk's x and y are 16 KB each
inline constexpr std::int64_t kSsdGrain = 32;     // narrower strips leave lanes of a register tile unused

/// Neighbouring elements of one head and one batch entry; at most kSsdElements of them.
struct SsdStrip {
  std::int64_t entry = 0, head = 0;
  Range elements;
};

/// One thread's part: strips of the heads of one group and batch entry, head by head; every head is cut into
/// `strips`.
struct SsdShare {
  std::int64_t entry = 0, group = 0, strips = 1;
  Range jobs;  // of group_heads * strips
};

/// The states at work, of every strip of every head and entry in order: packed, and what they still have to
/// be multiplied with, as a logarithm.
template <class S>
struct SsdStates {
  S* packed;  // ssd_packed numbers each
  double* open;
};

/// How many numbers of the state's type a strip's packed states of N take, and a thread's scratch, 64-byte
/// aligned.
std::int64_t ssd_packed(std::int64_t states);
std::int64_t ssd_scratch(std::int64_t states);

/// Runs all steps of a share: `state` (B, H, P, N) holds the states before and after, of which the share's
/// are touched; `out` is written. T: double, float, Bf16 or F16.
template <class T>
void scan_ssd_share(const SsdViews<T>& views, const SsdShare& share, StateOf<T>* state,
                    const SsdStates<StateOf<T>>& states, StateOf<T>* scratch, Isa isa = best_isa());

}  // namespace bench::scan
