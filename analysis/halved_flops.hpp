// SPDX-License-Identifier: Apache-2.0
// FLOPs of attention as published tables count them, so that a rate of ours can be held against theirs.
#pragma once

#include <optional>

#include "scaling/case.hpp"

namespace bench::analysis {

/// The convention of FlashAttention's benchmarks: 4 B H D pairs with pairs = L Lk, half of that when causal, and 10 for backward; causal with other keys
/// than queries L (max(0, Lk - L) + Lk) / 2. Ours counts the diagonal whole, which is more by 1 part in L. Nothing for other ops, and where a window,
/// padding or packed sequences hide keys: those are counted exactly in either.
std::optional<double> halved_flops(const scaling::Case& c);

}  // namespace bench::analysis
