// SPDX-License-Identifier: Apache-2.0
// Which parameters tell the rows of a table apart, and which go into its heading.
#pragma once

#include <string>
#include <vector>

#include "analysis/results.hpp"

namespace bench::analysis {

using Rows = std::vector<const CaseResult*>;

/// Names of parameters with more than one value among these cases, or that only some of them have.
std::vector<std::string> varying_parameters(const RunRecord& run, const Rows& rows);
/// A case's value of each, "-" where it has none; the default link by its name, where ranks use one.
std::vector<std::string> parameter_cells(const scaling::Case& c, const std::vector<std::string>& names);
/// "name=value ..." of all others. `rows` is not empty.
std::string fixed_parameters(const RunRecord& run, const Rows& rows);

}  // namespace bench::analysis
