// SPDX-License-Identifier: Apache-2.0
// What a change has to keep or reach besides not being slower: speed-up, memory, accuracy, convergence. A
// criterion that is set and could not be looked at is `not_measured`, never `met`.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "analysis/compare/comparison.hpp"
#include "analysis/compare/side.hpp"

namespace bench::analysis {

/// Largest deviation of an output from its oracle, relative to max|oracle| (Measured::error).
struct ErrorLimits {
  std::optional<double> any;               // for every dtype that has none of its own
  std::map<std::string, double> by_dtype;  // "fp32" -> 1e-5
};

/// fp64 1e-12, fp32 1e-5, fp16 2e-3, bf16 2e-2.
ErrorLimits default_error_limits();

/// Bounds of a norm; an absent end is free.
struct NormBounds {
  std::optional<double> min, max;
};

struct Criteria {
  std::optional<double> min_speedup;              // old / new time, at the lower end of its interval
  std::optional<double> max_memory_increase;      // of the peak: 0.05 is 5 % more
  std::optional<ErrorLimits> max_abs_diff;        // of the new side
  std::optional<double> max_perplexity_increase;  // relative; 0: not worse. Metric perplexity
  std::optional<double> max_convergence_ratio;    // new / old. Metric steps_to_target
  std::optional<NormBounds> gradient_norm;        // of the new side. Metrics gradient_norm_min, _max
};

/// Whether nothing is asked for.
bool is_empty(const Criteria& criteria);

/// Fills row.criteria of every row that has a new side. What needs both sides is left out of rows that the
/// old side does not have; without a figure, or without launches enough for an interval, it is not_measured;
/// a figure of the new side that is NaN fails. An accuracy that failed (max_abs_diff; or, asked for or not,
/// the outcome wrong_result or an error that is NaN) makes the row invalid with the reason "accuracy failed:
/// ...".
void apply_criteria(Comparison& comparison, const Side& before, const Side& after, const Criteria& criteria);

}  // namespace bench::analysis
