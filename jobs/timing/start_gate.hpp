// SPDX-License-Identifier: Apache-2.0
// Lets all ranks of a block begin at one moment. A barrier alone does not: it says that all have arrived, and lets them go one after the
// other. Here rank 0 names a moment on the common clock and every rank waits for it (round-time scheme, Hunold & Carpen-Amarie 2015).
#pragma once

#include <cstdint>
#include <string_view>

#include "jobs/clock.hpp"
#include "jobs/timing/clock_sync.hpp"
#include "src/core/link.hpp"

namespace bench::jobs {

enum class Sync : std::uint8_t {
  none,     // one rank: nobody to wait for
  barrier,  // ranks that share cores: spinning would take the time from those that work
  window,   // a named moment, waited for by reading the clock
};
std::string_view to_text(Sync sync);

class StartGate {
 public:
  /// Collective. `line` maps this rank's clock to rank 0's.
  StartGate(Link& link, Clock clock, const ClockLine& line, Sync sync);

  /// Waits for the common start; collective. True when this rank came too late for it: then its start says nothing about the others.
  bool wait();
  /// Gives everybody more time to arrive; called on every rank after one was late.
  void lengthen();
  Sync sync() const { return sync_; }

 private:
  Link& link_;
  Clock clock_;
  ClockLine line_;
  Sync sync_;
  double lead_s_ = 0.0;  // from naming the moment to the moment
};

}  // namespace bench::jobs
