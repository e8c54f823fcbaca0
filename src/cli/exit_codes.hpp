// SPDX-License-Identifier: Apache-2.0
// How the program ends; docs/exit-codes.md says the same in words, and every code has a test.
#pragma once

#include "src/core/error.hpp"

namespace bench::cli {

enum ExitCode : int {
  kAllMeasured = 0,
  kRegression = 1,       // gate only
  kUsage = 2,            // command line or study file
  kSomeFailed = 3,       // finished, but cases failed
  kUnavailable = 4,      // asked-for hardware, library or feature is not here
  kNothingMatched = 5,
  kStoppedEarly = 75,    // resumable: what was measured is in the journal
};

inline ExitCode exit_code_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage: return kUsage;
    case ErrorKind::unavailable: return kUnavailable;
    case ErrorKind::no_match: return kNothingMatched;
    case ErrorKind::io: return kStoppedEarly;
    case ErrorKind::timeout:
    case ErrorKind::comm:
    case ErrorKind::internal: return kSomeFailed;
  }
  return kSomeFailed;
}

}  // namespace bench::cli
