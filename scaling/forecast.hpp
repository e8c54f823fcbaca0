// SPDX-License-Identifier: Apache-2.0
// What a plan will do before it is run: its schedule on estimated times, and what isolation costs.
#pragma once

#include <string>
#include <vector>

#include "scaling/simulate.hpp"

namespace bench::scaling {

/// The plan's own tasks, order, isolation and placement, on estimated times. Its makespan is the rough
/// duration of a run, for the ETA.
Schedule forecast(const Plan& plan);

/// The same cases with another isolation.
struct IsolationForecast {
  std::string level;  // "as planned", "node": every case has its nodes alone, "none": none has
  Schedule schedule;
};
/// As planned first, then node and none: what clean numbers cost.
std::vector<IsolationForecast> forecast_isolation(const Plan& plan);

}  // namespace bench::scaling
