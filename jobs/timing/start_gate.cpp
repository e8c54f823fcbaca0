// SPDX-License-Identifier: Apache-2.0
#include "jobs/timing/start_gate.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "analysis/statistics/quantiles.hpp"
#include "jobs/team.hpp"

namespace bench::jobs {
namespace {

constexpr int kTrials = 10;
constexpr double kLeads = 3.0;        // broadcast times between naming the moment and the moment
constexpr double kGrowth = 1.5;
constexpr double kLongestLead_s = 1e-3;  // beyond it lateness is the machine's, not the broadcast's

}  // namespace

std::string_view to_text(Sync sync) {
  constexpr std::array<std::string_view, 3> kNames{"none", "barrier", "window"};
  return kNames[static_cast<std::size_t>(sync)];
}

StartGate::StartGate(Link& link, Clock clock, const ClockLine& line, Sync sync)
    : link_(link), clock_(std::move(clock)), line_(line), sync_(link.size() == 1 ? Sync::none : sync) {
  if (sync_ != Sync::window) return;
  std::vector<double> trips;
  for (int i = 0; i < kTrials; ++i) {
    const double begin = clock_();
    from_root(link_, begin);
    trips.push_back(clock_() - begin);
  }
  const auto all = all_of(link_, analysis::median(analysis::sorted(trips)));
  lead_s_ = std::min(kLeads * std::ranges::max(all), kLongestLead_s);
}

bool StartGate::wait() {
  if (sync_ == Sync::none) return false;
  link_.barrier();  // rank 0 must not name a moment before the slowest of the last sample is here
  if (sync_ == Sync::barrier) return false;
  const double moment = line_.local(from_root(link_, line_.global(clock_()) + lead_s_));
  if (clock_() > moment) return true;
  while (clock_() < moment) {
  }
  return false;
}

void StartGate::lengthen() { lead_s_ = std::min(kGrowth * lead_s_, kLongestLead_s); }

}  // namespace bench::jobs
