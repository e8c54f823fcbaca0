// SPDX-License-Identifier: Apache-2.0
// How a case ended. Every case is a row with one of these and a reason in words; only `ok` has times.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "src/core/error.hpp"

namespace bench {

enum class Outcome : std::uint8_t {
  ok,            // measured, and its output was checked first
  skipped,       // the implementation cannot run this problem, or was not there
  infeasible,    // memory or ranks do not suffice; known before running
  oom,           // memory ran out while running
  timeout,       // the watchdog ended it
  comm_error,    // the transport failed
  wrong_result,  // the output is not the oracle's; never timed
  crashed,       // the implementation threw or died
  interrupted,   // the run stopped before it was measured
  quarantined,   // took the process down twice; not tried again
};

inline constexpr std::array<std::string_view, 10> kOutcomeNames{"ok",      "skipped",    "infeasible",   "oom",     "timeout",
                                                                "comm_error", "wrong_result", "crashed", "interrupted", "quarantined"};

inline std::string_view to_text(Outcome outcome) { return kOutcomeNames[static_cast<std::size_t>(outcome)]; }

inline Outcome parse_outcome(std::string_view text) {
  for (std::size_t i = 0; i < kOutcomeNames.size(); ++i)
    if (kOutcomeNames[i] == text) return static_cast<Outcome>(i);
  throw Error(ErrorKind::io, concat("'", text, "' is not an outcome"));
}

}  // namespace bench
