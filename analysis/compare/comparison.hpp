// SPDX-License-Identifier: Apache-2.0
// Two sides, case by case: what may be said of each, and how sure it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analysis/compare/side.hpp"
#include "analysis/statistics/verdict.hpp"

namespace bench::analysis {

enum class Correction : std::uint8_t { holm, benjamini_hochberg };

struct CompareRule {
  VerdictRule verdict;
  Correction correction = Correction::holm;  // over the p values of the table
};

/// What a case's figures were held against besides its time (policy.hpp).
struct CriterionResult {
  enum class State : std::uint8_t { met, failed, not_measured };
  std::string name;      // min_speedup, max_memory_increase, ...
  State state = State::not_measured;
  std::string reason;    // the figures in words
  bool accuracy = false;  // failed, it blanks the verdict on speed
};

struct ComparisonRow {
  std::string key, name;
  std::string dtype;                   // empty: unknown
  double old_s = 0.0, new_s = 0.0;     // geometric mean over launches; NaN when there are none
  std::int64_t launches_old = 0, launches_new = 0;
  Estimate ratio;                      // new / old time; NaN without both
  double p = 1.0, adjusted_p = 1.0;    // Welch's t on the logarithms of the launches; NaN: no test could be made
  double hedges_g = 0.0;               // of the logarithms, positive: the new side is slower; NaN likewise
  double cliffs_delta = 0.0;           // share of pairs of launches where new is slower minus share where it is faster
  Verdict verdict = Verdict::invalid;
  std::string reason;
  std::optional<std::int64_t> launches_needed;
  std::vector<CriterionResult> criteria;
};

struct Comparison {
  std::string old_label, new_label;
  CompareRule rule;
  std::vector<ComparisonRow> rows;     // cases in both first, then missing, then new; by name
  std::size_t joined = 0;              // cases that both sides have
  std::vector<std::string> environment_differences;  // "cpu.model: A -> B"
};

/// Compares the launches of every case. A case that failed on the new side is invalid with that failure as reason, one that neither side
/// measured is left out.
Comparison compare(const Side& before, const Side& after, const CompareRule& rule = {});

/// Rows of a verdict, for counting.
std::size_t count_of(const Comparison& comparison, Verdict verdict);

}  // namespace bench::analysis
