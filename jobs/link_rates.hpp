// SPDX-License-Identifier: Apache-2.0
// What a link gives the ranks of a ring when nothing else uses it: the exchange that a ring of attention
// makes, without the attention.
#pragma once

#include "analysis/record.hpp"
#include "jobs/clock.hpp"
#include "src/core/link.hpp"

namespace bench::jobs {

/// Every rank sends to the next and receives from the one before, 8 bytes and 4 MiB at a time. Collective;
/// the same on every rank: the slowest rank of the best try. Nothing on one rank.
struct LinkRates {
  double latency_s = 0.0;    // of an exchange of 8 bytes
  double bytes_per_s = 0.0;  // each way, of the large message, less the latency
};
LinkRates measure_link(Link& link, const Clock& clock);

}  // namespace bench::jobs
