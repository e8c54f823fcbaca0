// SPDX-License-Identifier: Apache-2.0
// What the program itself costs, beside what it measures: --profile-self.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "analysis/record.hpp"
#include "jobs/clock.hpp"

namespace bench::cli {

class SelfProfile {
 public:
  explicit SelfProfile(jobs::Clock clock) : clock_(std::move(clock)), start_s_(clock_()), last_s_(start_s_) {}
  /// Names the time since the last mark.
  void mark(const char* name);
  /// Prints every phase, and the fixed cost as a share of the whole run, to stderr. `overhead_s`: between visits, the journal and the stores made
  /// on the way included; `journal_s` and `store_s` say how much of the whole went there.
  void print(const analysis::RunRecord& run, double overhead_s, double journal_s, double store_s) const;

 private:
  jobs::Clock clock_;
  double start_s_, last_s_;
  std::vector<std::pair<std::string, double>> phases_;
};

}  // namespace bench::cli
