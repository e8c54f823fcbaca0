// SPDX-License-Identifier: Apache-2.0
// What every sweep has to satisfy, whether it came from a file or was changed by the command line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/problem.hpp"
#include "scaling/study.hpp"

namespace bench::scaling {

/// Rank counts from a range text, in the order written; a usage error unless all are integers from 1 to 2^20.
std::vector<std::int64_t> parse_ranks(const std::string& text);

/// Usage error when mode, by or ranks is not what study.hpp says.
void check_scaling(const ScalingSpec& scaling);

/// The axes with every parameter of the op that nothing sets at its default underneath.
AxisSpec with_defaults(const Op& op, const AxisSpec& axes);

/// Checks that need no point: `check_scaling`, `ranks` set twice, the names and expressions of the clauses
/// (see axes.hpp).
void check_sweep(const Sweep& sweep);

}  // namespace bench::scaling
