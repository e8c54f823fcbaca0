// SPDX-License-Identifier: Apache-2.0
// How many visits a case gets and how long one may take: what the planner orders and foretells with, never a
// result.
#pragma once

#include <cstdint>

#include "scaling/case.hpp"
#include "scaling/study.hpp"

namespace bench::scaling {

/// `visits`, and for a case of a scaling study at least `scaling_visits`.
std::int64_t visits_to(const Case& c, const RunSettings& run);

/// Seconds of one visit, from the nominal time of a call: allocation and check, warm-up, and as much timing
/// as the stop rule may ask for.
double visit_estimate_s(const Case& c, const RunSettings& run);

}  // namespace bench::scaling
