// SPDX-License-Identifier: Apache-2.0
// Mamba-2's scan of all heads and batch entries by the threads of a problem: the forward pass, and what of it the backward
// pass of a gated scan needs first.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/scan/ssd.hpp"

namespace bench::scan {

/// Workspace: the packed states, their logarithms and a scratch per thread.
std::int64_t ssd_heads_bytes(const SsdProblem& p);

/// `state` (B, H, P, N) holds the states before and after; views.out is written. T: double, float, Bf16 or F16.
template <class T>
void scan_ssd_heads(const SsdProblem& p, const SsdViews<T>& views, StateOf<T>* state, std::byte* workspace);

}  // namespace bench::scan
