// SPDX-License-Identifier: Apache-2.0
// The vector engine of Mamba-2's scan: neighbouring elements of one head, lanes = elements, a tile of the
// head's state in registers. fp64 tensors are computed in fp64, all others in fp32. Layouts in here are
// row-major as in the tensors; packing is the engine's own affair.
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

/// How many numbers of the state's type scan_ssd_strip needs as scratch for N states, 64-byte aligned.
std::int64_t ssd_scratch(std::int64_t states);

/// Runs all steps of one strip: `state` (P, N) of the strip's batch entry and head holds the states before
/// and after, of which the strip's rows are touched; `out` is written. T: double, float, Bf16 or F16.
template <class T>
void scan_ssd_strip(const SsdViews<T>& views, const SsdStrip& strip, StateOf<T>* state, StateOf<T>* scratch,
                    Isa isa = best_isa());

}  // namespace bench::scan
