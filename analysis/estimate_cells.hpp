// SPDX-License-Identifier: Apache-2.0
// An estimate with its interval, as a cell of a table.
#pragma once

#include <optional>
#include <string>

#include "analysis/statistics/ratio.hpp"

namespace bench::analysis {

/// "1.23 ms [1.2, 1.26]", or "[too few]" where there are too few samples for an interval.
std::string time_cell(const Estimate& time_s);
/// "1.23 [1.2, 1.26]"; without an interval the value alone, "-" for nothing.
std::string ratio_cell(const std::optional<Estimate>& ratio);

}  // namespace bench::analysis
