// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analysis/compare/gate.hpp"
#include "analysis/tools/simulations.hpp"

namespace bench::analysis::tools {
namespace {

constexpr int kCases = 10;         // of a change; the first is the one that may be slower
constexpr double kPlanted = 1.05;  // its new time over its old

/// Launches whose logarithms are Gaussian: what differs between launches multiplies.
Side simulated(Noise& noise, double launch_sd, int launches, double first_factor) {
  Side side;
  for (int i = 0; i < kCases; ++i) {
    Measured& one = side.cases[fmt::format("case {}", i)];
    one.name = fmt::format("case {}", i);
    const double true_s = 1e-3 * (i + 1) * (i == 0 ? first_factor : 1.0);
    for (int launch = 0; launch < launches; ++launch)
      one.launches_s.push_back(true_s * std::exp(launch_sd * noise.normal()));
  }
  side.launches = launches;
  return side;
}

struct Counts {
  std::int64_t caught = 0;  // changes whose first case is called a regression
  std::int64_t others = 0;  // changes with another case called one
  std::int64_t shut = 0;    // changes that did not pass
};

Counts run(Noise& noise, double launch_sd, int launches, double first_factor, std::int64_t changes) {
  const Policy policy;
  const auto regressed = [](const GateRow& row) { return row.state == GateRow::State::regression; };
  Counts counts;
  for (std::int64_t change = 0; change < changes; ++change) {
    const Side before = simulated(noise, launch_sd, launches, 1.0);
    const Side after = simulated(noise, launch_sd, launches, first_factor);
    const GateResult result = gate(compare(before, after, policy.compare), policy);
    counts.caught += regressed(result.rows.front());
    counts.others += std::any_of(result.rows.begin() + 1, result.rows.end(), regressed);
    counts.shut += !result.passed;
  }
  return counts;
}

}  // namespace

TextTable gate_table(const Study& study) {
  TextTable table{{{"launch sd %", true},
                   {"launches a side", true},
                   {"5 % caught %", true},
                   {"another case blamed %", true},
                   {"false alarms %", true}},
                  {}};
  for (const double launch_sd : {0.005, 0.01, 0.02})
    for (const int launches : {5, 8, 12}) {
      Noise noise(study.seed, fmt::format("gate {} {}", launch_sd, launches));
      const Counts planted = run(noise, launch_sd, launches, kPlanted, study.trials);
      const Counts nothing = run(noise, launch_sd, launches, 1.0, study.trials);
      table.rows.push_back({fmt::format("{:.1f}", 100.0 * launch_sd), fmt::format("{}", launches),
                            percent(planted.caught, study.trials), percent(planted.others, study.trials),
                            percent(nothing.shut, study.trials)});
    }
  return table;
}

}  // namespace bench::analysis::tools
