// SPDX-License-Identifier: Apache-2.0
// One time for all ranks of a block. Ranks of one node read the same clock, and this finds an offset of about zero there; between nodes it
// finds the real one. How wrong it can be is known: half the round trip of the best exchange (Cristian 1989), added up along the tree.
#pragma once

#include <cstdint>
#include <span>

#include "jobs/clock.hpp"
#include "src/core/link.hpp"

namespace bench::jobs {

/// One ping-pong: sent at `sent_s`, answered with the other's clock `remote_s`, back at `received_s`. Seconds.
struct Exchange {
  double sent_s = 0.0, remote_s = 0.0, received_s = 0.0;
};

/// This clock minus the other one.
struct ClockOffset {
  double offset_s = 0.0;
  double bound_s = 0.0;  // the true offset is within +- this
};

/// From the exchange with the shortest round trip: offset = (sent + received) / 2 - remote, bound = half that round trip, since the remote
/// clock was read somewhere within it. `exchanges` is not empty.
ClockOffset offset_of(std::span<const Exchange> exchanges);

/// Linear drift: offsets seen at several local times give this clock's slope and intercept against the other.
struct ClockLine {
  double slope = 0.0, intercept_s = 0.0;  // offset at local time t: intercept + slope t
  double global(double local_s) const { return local_s - (intercept_s + slope * local_s); }
  double local(double global_s) const { return (global_s + intercept_s) / (1.0 - slope); }
};
/// Least squares; one point gives slope 0. The spans have equal lengths and are not empty.
ClockLine fit_clock(std::span<const double> local_s, std::span<const double> offset_s);

/// This rank's clock minus rank 0's. Collective over the link: ceil(log2 P) rounds of a binomial tree with 64 ping-pongs each (the shape of
/// HCA3, Hunold & Carpen-Amarie 2018). Rank 0 gets {0, 0}.
ClockOffset synchronise(Link& link, const Clock& clock);

}  // namespace bench::jobs
