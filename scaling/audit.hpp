// SPDX-License-Identifier: Apache-2.0
// The co-run audit: did packing leave the numbers unchanged? After a packed sweep some of the cases that had
// neighbours run once more, alone on the machine. The ratio packed / alone over a kernel's pairs, with its
// interval, says whether the kernel is contended; then all its packed rows are marked, and may be measured
// alone. The interval is analysis' business; here are the choice and the rule.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "scaling/tasks.hpp"

namespace bench::scaling {

/// How many of `packed` cases are audited: a tenth, at least 8, at most all.
std::size_t audit_size(std::size_t packed);

/// The cases to run again, ascending: drawn by `seed` from `packed` (indices into plan.cases of the cases
/// that had neighbours), kernels in turn, so that none is left unjudged because another has more cases.
std::vector<std::int64_t> audit_sample(const Plan& plan, std::span<const std::int64_t> packed,
                                       std::int64_t seed);

/// One more visit to each of these cases, longest first; numbers follow on those the plan has made. For a
/// dispatcher with Placement::solo.
std::vector<Task> solo_tasks(const Plan& plan, std::span<const std::int64_t> cases);

enum class Contention : std::uint8_t { clean, contended, undecided };

inline constexpr double kLeastRatio = 0.98, kMostRatio = 1.02;

/// From the interval [lo, hi] of the ratio packed / alone: contended when it lies wholly outside
/// [kLeastRatio, kMostRatio], clean when wholly inside, else undecided; so without an interval (NaN).
Contention contention(double lo, double hi);

}  // namespace bench::scaling
