// SPDX-License-Identifier: Apache-2.0
// The fits as a person reads them: the law, what it foretells, and whether it foretold what was held out.
#pragma once

#include <string>

#include "analysis/fits/fit_rows.hpp"
#include "analysis/table.hpp"

namespace bench::analysis {

/// "0.05 s + 0.95 s/p + 0.01 s log2 p": terms that are 0 are left out.
std::string formula(const TimeTerms& terms);

/// One row per fitted curve, the hold-out beside each prediction; no rows when no curve could be fitted.
Section fits_section(const RunRecord& run, const Results& results);

}  // namespace bench::analysis
