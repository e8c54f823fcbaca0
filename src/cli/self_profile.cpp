// SPDX-License-Identifier: Apache-2.0
#include "src/cli/self_profile.hpp"

#include <cstdio>

namespace bench::cli {

void SelfProfile::mark(const char* name) {
  const double now = clock_();
  phases_.emplace_back(name, now - last_s_);
  last_s_ = now;
}

void SelfProfile::print(const analysis::RunRecord& run, double overhead_s, double journal_s, double store_s) const {
  const double whole = last_s_ - start_s_;
  double check = 0.0, warmup = 0.0, measure = 0.0, decide = 0.0, fixed = 0.0;
  for (const analysis::VisitRecord& visit : run.visits) check += visit.check_s, warmup += visit.warmup_s, measure += visit.measure_s, decide += visit.decide_s;
  std::fprintf(stderr, "what the program itself cost, seconds on rank 0:\n");
  for (const auto& [name, time_s] : phases_) {
    const bool measuring = name == "measuring", limits = name == "measured limits";
    std::fprintf(stderr, "  %-18s %9.3f%s\n", name.c_str(), time_s, measuring || limits ? "  (work, not overhead)" : "");
    if (!measuring && !limits) fixed += time_s;
  }
  std::fprintf(stderr, "  %-18s %9.3f  set-up and check of outputs\n", "  checks", check);
  std::fprintf(stderr, "  %-18s %9.3f\n", "  warm-up", warmup);
  std::fprintf(stderr, "  %-18s %9.3f  of it the stop rule and its statistics: %.3f\n", "  timed samples", measure, decide);
  std::fprintf(stderr, "  %-18s %9.3f  dispatch, records, journal and stores on the way\n", "  between visits", overhead_s);
  std::fprintf(stderr, "  journal %.3f s and store %.3f s of the whole are counted above\n", journal_s, store_s);
  std::fprintf(stderr, "fixed cost: %.3f s of %.1f s = %.2f %%\n", fixed + overhead_s, whole, 100.0 * (fixed + overhead_s) / whole);
}

}  // namespace bench::cli
