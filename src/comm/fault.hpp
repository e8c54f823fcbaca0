// SPDX-License-Identifier: Apache-2.0
// What may go wrong between ranks, ordered in advance: so that the ways out of it can be tried without
// waiting for a cluster to break.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bench::comm {

enum class FaultKind {
  delay,    // the rank is late by `seconds`
  drop,     // the message is lost on the way
  reorder,  // the message leaves after the rank's next one, of two that are outstanding together
  die,      // the rank is gone
};

/// One thing that happens to `rank` when it sends its message number `operation` (0 is its first) to another
/// rank.
struct Fault {
  FaultKind kind = FaultKind::delay;
  int rank = 0;
  std::int64_t operation = 0;
  double seconds = 0.0;  // delay only
};

/// "drop@1:7" or "delay@0:3:0.25": kind, rank, operation and, for a delay, seconds.
std::string to_text(const Fault& fault);
/// The reverse, for a list with commas: "delay@0:3:0.25,die@2:10". An empty text is no fault. Usage errors
/// name the entry and what is allowed.
std::vector<Fault> parse_faults(std::string_view text);

}  // namespace bench::comm
