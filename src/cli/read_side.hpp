// SPDX-License-Identifier: Apache-2.0
// From an argument of compare or gate to a side.
#pragma once

#include <string>

#include "analysis/compare/comparison.hpp"

namespace bench::cli {

/// "base.h5", a folder of launches, or "1.h5,2.h5,3.h5". Errors as analysis::files_of and read_side.
analysis::Side side_of(const std::string& argument);

/// Error(usage) that lists what differs between the sides' machines and builds, unless `allowed`; then the list goes to stderr.
void require_one_environment(const analysis::Comparison& comparison, bool allowed);

}  // namespace bench::cli
