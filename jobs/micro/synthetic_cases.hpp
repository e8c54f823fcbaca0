// SPDX-License-Identifier: Apache-2.0
// Records of a run that never happened, of any size: for timing what the program does with records.
#pragma once

#include <cstdint>

#include "analysis/record.hpp"

namespace bench::jobs::micro {

/// `count` independent positive samples around 1 ms with a long right tail, as times have; in seconds.
std::vector<double> synthetic_times(std::uint64_t seed, std::int64_t count);

/// A run of `cases` cases of the first registered op, one visit each of `samples` samples; every four cases
/// are the points of a strong scaling study at 1, 2, 4 and 8 ranks. The same arguments give the same records.
analysis::RunRecord synthetic_cases(std::int64_t cases, std::int64_t samples);

}  // namespace bench::jobs::micro
