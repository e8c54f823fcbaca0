// SPDX-License-Identifier: Apache-2.0
#include "scaling/forecast.hpp"

#include <utility>

namespace bench::scaling {

Schedule forecast(const Plan& plan) {
  return simulate(make_tasks(plan), plan.machine, {}, placement_of(plan.run));
}

std::vector<IsolationForecast> forecast_isolation(const Plan& plan) {
  std::vector<IsolationForecast> levels;
  levels.push_back({"as planned", forecast(plan)});
  Plan changed = plan;
  for (const auto& [name, isolation] :
       {std::pair{"node", Isolation::node}, std::pair{"none", Isolation::none}}) {
    for (Case& c : changed.cases) c.isolation = isolation;
    levels.push_back({name, forecast(changed)});
  }
  return levels;
}

}  // namespace bench::scaling
