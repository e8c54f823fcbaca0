// SPDX-License-Identifier: Apache-2.0
// What a case of a scaling study could reach at best, from closed forms and from what one rank and its link
// were measured to do. From the case's own parameters alone, so that an old file can be read by a program
// that no longer has the kernel.
#pragma once

#include <optional>

#include "kernels/attention/ideal.hpp"
#include "scaling/case.hpp"

namespace bench::analysis {

/// A figure that is not known for the case's kernel, or lacks a rate, is absent: it is never guessed.
struct Ideal {
  std::optional<double> layout;      // mean / busiest rank's work
  std::optional<double> extra_work;  // c: what the ranks do together over what one rank would do
  std::optional<double> overlap;     // compute / modelled time of the busiest rank (model)
  std::optional<double> wire_bytes;  // sent by the busiest rank; for scans the least, one carry
  std::optional<double> knee_ranks;  // of a ring: beyond it a hop takes longer than a step (model)
};

/// Rates of 0 are unknown. One rank and independent replicas have layout, extra work and overlap 1.
Ideal ideal_of(const scaling::Case& c, const attention::RankRates& rates);

/// The parameters of the one-rank case that has the share of one rank of `c`: an even part of the sequence
/// (of the heads, for Ulysses), or a replica. nullopt when the shares are uneven or it is not known what is
/// cut. At one rank: its own parameters.
std::optional<Params> one_share(const scaling::Case& c);

}  // namespace bench::analysis
