// SPDX-License-Identifier: Apache-2.0
// From records to figures: one CaseResult per case and one ScalingRow per point of a scaling curve. Pure. docs/metrics.md derives each.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/efficiency.hpp"
#include "analysis/factors.hpp"
#include "analysis/record.hpp"
#include "analysis/statistics/verdict.hpp"

namespace bench::analysis {

struct CaseResult {
  std::size_t case_index = 0;
  Outcome outcome = Outcome::interrupted;
  std::string reason;
  std::int64_t n_visits = 0, n = 0;       // visits that were ok; valid samples in them
  std::int64_t n_left_out = 0;            // samples flagged as warm-up, late or throttled
  Estimate time_s;                        // of all ranks together (sample_times.hpp), median; several visits: their geometric mean
  std::vector<double> visit_medians_s;
  std::vector<std::size_t> visits;        // rows of RunRecord::visits that were ok
  std::string stop_reason;                // of the last visit
  double tau = 1.0;                       // the largest of the visits
  double flops_per_s = 0.0, bytes_per_s = 0.0;  // the op's work over time; 0 when the op has none
  std::string limit;                      // what binds: compute | memory | exp; empty when no limits were measured
  double limit_s = 0.0, limit_fraction = 0.0;
  std::optional<Estimate> speedup;        // over the baseline
  std::optional<std::size_t> baseline_case;  // row of the baseline on the same problem, if that was measured
  std::optional<Verdict> verdict;         // against it (baseline_verdicts.hpp), with the adjusted p and the effect size
  double speedup_p = std::numeric_limits<double>::quiet_NaN(), hedges_g = speedup_p;
  double error = 0.0, tolerance = 0.0;    // of the output that comes nearest to its tolerance
  std::vector<Figure> figures;            // of the answer itself, of the last visit
  double imbalance = 0.0;                 // mean over samples of (slowest rank / mean rank - 1)
  std::optional<double> start_skew_s;     // latest minus earliest start: median over samples, the largest of the visits
  std::int64_t peak_memory_bytes = 0, wire_bytes = 0, device_peak_bytes = 0;
  double enqueue_s = 0.0;                 // smallest of the visits'; 0: no device
  bool oversubscribed = false;
  bool part = false;                      // only what its ranks compute, or exchange, was timed: nobody's rival, and of no work (overlaps.hpp)
  bool functional_only = false;           // ranks shared a device: ok means that the answer is right, and there is no time
  bool contended = false;                 // measured beside neighbours, and the audit found that these change its kernel's times (audit.hpp)
  std::string environment;                // of its visits, in a merged record (source_runs.hpp); empty: the run's

  /// Whether it has a time.
  bool timed() const { return outcome == Outcome::ok && !functional_only; }
  /// Whether that is the time of its problem.
  bool whole() const { return timed() && !part; }
  /// In a word or two why no figure is taken of it that others are taken of.
  std::string_view lack() const {
    if (outcome != Outcome::ok) return bench::to_text(outcome);
    return functional_only ? "functional only" : "shared cores";
  }
};

struct ScalingRow {
  std::size_t case_index = 0;
  scaling::ScalingTag tag;
  std::int64_t base_ranks = 0;            // 0: no base ran
  std::string base_note;                  // why it is not the rank count that was wished for
  double work = 0.0;                      // FLOPs, or bytes for an op without FLOPs to speak of
  double rate_per_rank = 0.0;             // work / (ranks x time); 0: no time
  std::optional<double> tokens_per_s_per_rank;  // where the op has batch and seq
  std::optional<Estimate> time_ratio;     // T_p / T_b
  std::optional<double> time_ratio_ideal; // (W_p / p) / (W_b / b)
  std::optional<Estimate> speedup, efficiency;
  bool superlinear = false;               // the whole interval of the efficiency lies above 1
  std::optional<double> karp_flatt;       // strong studies, past the base
  Factors factors;
  std::string note;                       // why a figure is missing
};

struct Results {
  std::vector<CaseResult> cases;          // one per case of the run, in its order
  std::vector<ScalingRow> scaling;        // by study, series, ranks
};

Results make_results(const RunRecord& run);

}  // namespace bench::analysis
