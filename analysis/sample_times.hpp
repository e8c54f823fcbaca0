// SPDX-License-Identifier: Apache-2.0
// From what every rank measured to one time per sample. Nothing is ever deleted from a record: samples that say nothing about the case are
// flagged, stored and left out of the headline.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/record.hpp"

namespace bench::analysis {

/// Bits of VisitRecord::flags.
enum SampleFlag : std::int64_t {
  kLate = 1,          // a rank missed the common start
  kOverrun = 2,       // it took over 3 times what the warm-up did: something came between
  kThrottled = 4,     // the device ran below 95 % of its usual clock
  kPowerCap = 8,      // the device says that its power limit held the visit back
  kSpinTimeout = 16,  // the blocked stream was let go by its own time limit
  kClockBound = 32,   // the ranks' common clock is not known to 1 % of the sample
  kWarmup = 64,       // cut from the front: the series had not settled
};
inline constexpr std::int64_t kNotValid = kLate | kThrottled | kSpinTimeout | kWarmup;
/// Names in the order of the bits.
const std::vector<std::string>& sample_flag_names();

/// Slowest rank's own time of one call, per sample.
std::vector<double> local_times(const VisitRecord& visit);

/// True when the ranks' starts are known well enough: clock bound within 1 % of the median of local_times().
bool uses_common_clock(const VisitRecord& visit);

/// The time of one call per sample, over all ranks. On the common clock: latest end minus earliest start, so that ranks that start late are
/// seen; else local_times(). Samples of several calls give their mean.
std::vector<double> sample_times(const VisitRecord& visit);

/// Which samples count: all that are not kNotValid. In a visit that ended as throttled or unsteady only the warm-up is left out: there
/// the disturbance is the machine's normal state. When that leaves nothing, all.
std::vector<std::size_t> valid_samples(const VisitRecord& visit);

/// sample_times() of the samples that count.
std::vector<double> valid_times(const VisitRecord& visit);

/// Latest start minus earliest start of every sample, in seconds; empty when starts are not known.
std::vector<double> start_skews(const VisitRecord& visit);

}  // namespace bench::analysis
