// SPDX-License-Identifier: Apache-2.0
// The two rates of an exchange as nccl-tests reports them, so that a table of ours can be held against theirs.
#pragma once

#include <optional>

#include "scaling/case.hpp"

namespace bench::analysis {

struct BusBandwidth {
  double algbw = 0.0, busbw = 0.0;  // bytes per second
};

/// algbw = S / t and busbw = algbw times what a rank has to send in units of S (kernels/collective/operation.hpp): the rate of a rank's own link in
/// an exchange that sends no more than it must, whatever the number of ranks. `time_s` is of the slowest rank. Nothing for other ops, nor on one rank,
/// where nothing is sent.
std::optional<BusBandwidth> bus_bandwidth(const scaling::Case& c, double time_s);

}  // namespace bench::analysis
