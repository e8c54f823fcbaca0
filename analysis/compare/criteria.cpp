// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare/criteria.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "src/core/dtype.hpp"
#include "src/core/units.hpp"

namespace bench::analysis {
namespace {

using State = CriterionResult::State;

/// A limit is written in decimals and the figures are quotients: what differs by rounding alone is equal.
constexpr double kRounding = 1e-9;

bool at_most(double value, double limit) {
  return value <= limit + kRounding * std::abs(limit);
}
bool at_least(double value, double limit) {
  return value >= limit - kRounding * std::abs(limit);
}

CriterionResult result(const char* name, State state, std::string reason) {
  CriterionResult criterion;
  criterion.name = name;
  criterion.state = state;
  criterion.reason = std::move(reason);
  return criterion;
}

CriterionResult judged(const char* name, bool met, std::string reason) {
  return result(name, met ? State::met : State::failed, std::move(reason));
}

CriterionResult not_measured(const char* name, std::string reason) {
  return result(name, State::not_measured, std::move(reason));
}

std::optional<double> metric_of(const Measured& side, const char* metric) {
  const auto it = side.metrics.find(metric);
  return it != side.metrics.end() ? std::optional(it->second) : std::nullopt;
}

/// "fp16" for "float16"; a name that is no dtype of ours as it is.
std::string dtype_name(const std::string& name) {
  try {
    return std::string(to_text(parse_dtype(name)));
  } catch (const Error&) {
    return name;
  }
}

/// What one row is judged by. `before` is null for a case that the old side did not measure.
struct Judge {
  const ComparisonRow& row;
  const Measured* before;
  const Measured& after;

  CriterionResult speedup(double limit) const {
    const char* name = "min_speedup";
    if (!row.ratio.interval || !std::isfinite(row.ratio.value) || !(row.ratio.interval->lo > 0.0))
      return not_measured(name, fmt::format("no interval of the ratio from {} and {} launches",
                                            row.launches_old, row.launches_new));
    const double lower = 1.0 / row.ratio.interval->hi;
    return judged(name, at_least(lower, limit),
                  fmt::format("speed-up {:.4g}, at least {:.4g} by its interval; asked for: {:g}",
                              1.0 / row.ratio.value, lower, limit));
  }

  CriterionResult memory(double limit) const {
    const char* name = "max_memory_increase";
    const std::int64_t old_bytes = before->peak_memory_bytes, new_bytes = after.peak_memory_bytes;
    if (old_bytes <= 0 || new_bytes <= 0)
      return not_measured(
          name, old_bytes <= 0 ? "no peak memory of the old side" : "no peak memory of the new side");
    const double factor = static_cast<double>(new_bytes) / static_cast<double>(old_bytes);
    return judged(name, at_most(factor, 1.0 + limit),
                  fmt::format("peak memory {} -> {}, {:+.2f} %; allowed: {:+g} %", format_bytes(old_bytes),
                              format_bytes(new_bytes), 100.0 * (factor - 1.0), 100.0 * limit));
  }

  CriterionResult error(const ErrorLimits& limits) const {
    const char* name = "max_abs_diff";
    const std::string dtype = dtype_name(after.dtype);
    const auto own = limits.by_dtype.find(dtype);
    const auto limit = own != limits.by_dtype.end() ? std::optional(own->second) : limits.any;
    if (!limit)
      return not_measured(name, dtype.empty() ? "the dtype is unknown" : "no limit for dtype " + dtype);
    // Files of other tools know no oracle: their error of 0 is no finding.
    if (!(after.tolerance > 0.0) && after.error == 0.0) return not_measured(name, "no oracle was asked");
    return judged(name, at_most(after.error, *limit),
                  fmt::format("error {:.3g} of max|oracle|; allowed: {:g}{}{}", after.error, *limit,
                              dtype.empty() ? "" : " for ", dtype));
  }

  /// new / old of a metric that is better when it is smaller.
  CriterionResult relative(const char* name, const char* metric, double limit) const {
    const auto old_value = metric_of(*before, metric), new_value = metric_of(after, metric);
    if (!old_value || !new_value)
      return not_measured(name,
                          fmt::format("no metric {} on the {} side", metric, old_value ? "new" : "old"));
    if (!std::isfinite(*old_value) || *old_value <= 0.0)
      return not_measured(name, fmt::format("{} of the old side is {:g}", metric, *old_value));
    const double factor = *new_value / *old_value;
    return judged(name, at_most(factor, limit),
                  fmt::format("{} {:g} -> {:g}, a factor of {:.4g}; allowed: {:g}", metric, *old_value,
                              *new_value, factor, limit));
  }

  CriterionResult norm(const NormBounds& bounds) const {
    const char* name = "gradient_norm";
    const auto smallest = metric_of(after, "gradient_norm_min"),
               largest = metric_of(after, "gradient_norm_max");
    if (bounds.min && !smallest) return not_measured(name, "no metric gradient_norm_min on the new side");
    if (bounds.max && !largest) return not_measured(name, "no metric gradient_norm_max on the new side");
    const bool low_end = !bounds.min || at_least(*smallest, *bounds.min);
    const bool high_end = !bounds.max || at_most(*largest, *bounds.max);
    std::string words;
    if (bounds.min) words += fmt::format("smallest {:g}, at least {:g} asked for", *smallest, *bounds.min);
    if (bounds.max)
      words += fmt::format("{}largest {:g}, at most {:g} allowed", words.empty() ? "" : "; ", *largest,
                           *bounds.max);
    return judged(name, low_end && high_end, std::move(words));
  }
};

std::vector<CriterionResult> judge_all(const Judge& judge, const Criteria& criteria) {
  std::vector<CriterionResult> results;
  const bool both = judge.before != nullptr;
  if (criteria.min_speedup && both) results.push_back(judge.speedup(*criteria.min_speedup));
  if (criteria.max_memory_increase && both) results.push_back(judge.memory(*criteria.max_memory_increase));
  if (criteria.max_abs_diff) results.push_back(judge.error(*criteria.max_abs_diff));
  if (criteria.max_perplexity_increase && both)
    results.push_back(
        judge.relative("max_perplexity_increase", "perplexity", 1.0 + *criteria.max_perplexity_increase));
  if (criteria.max_convergence_ratio && both)
    results.push_back(
        judge.relative("max_convergence_ratio", "steps_to_target", *criteria.max_convergence_ratio));
  if (criteria.gradient_norm) results.push_back(judge.norm(*criteria.gradient_norm));
  for (CriterionResult& one : results) one.accuracy = one.name == "max_abs_diff";
  return results;
}

/// What makes a row's output wrong whatever was asked for.
std::optional<std::string> wrong_output(const Measured& after) {
  if (after.outcome == Outcome::wrong_result)
    return after.reason.empty() ? "the output is not the oracle's" : after.reason;
  if (!std::isfinite(after.error)) return "the error against the oracle is no number";
  return std::nullopt;
}

/// Puts a wrong output in the place of max_abs_diff, or beside it as "accuracy" when that was not asked for.
void set_wrong(std::vector<CriterionResult>& results, const std::string& reason) {
  CriterionResult failed = result("accuracy", State::failed, reason);
  failed.accuracy = true;
  for (CriterionResult& one : results) {
    if (!one.accuracy) continue;
    failed.name = one.name;
    one = failed;
    return;
  }
  results.push_back(failed);
}

const Measured* find_case(const Side& side, const std::string& key) {
  const auto it = side.cases.find(key);
  return it != side.cases.end() ? &it->second : nullptr;
}

}  // namespace

ErrorLimits default_error_limits() {
  ErrorLimits limits;
  limits.by_dtype = {{"fp64", 1e-12}, {"fp32", 1e-5}, {"fp16", 2e-3}, {"bf16", 2e-2}};
  return limits;
}

bool is_empty(const Criteria& criteria) {
  return !criteria.min_speedup && !criteria.max_memory_increase && !criteria.max_abs_diff &&
         !criteria.max_perplexity_increase && !criteria.max_convergence_ratio && !criteria.gradient_norm;
}

void apply_criteria(Comparison& comparison, const Side& before, const Side& after, const Criteria& criteria) {
  for (ComparisonRow& row : comparison.rows) {
    const Measured* now = find_case(after, row.key);
    if (now == nullptr || row.verdict == Verdict::missing) continue;
    const Measured* old = find_case(before, row.key);
    if (old != nullptr && old->launches_s.empty()) old = nullptr;
    row.criteria = judge_all({row, old, *now}, criteria);
    if (const auto wrong = wrong_output(*now)) set_wrong(row.criteria, *wrong);
    for (const CriterionResult& one : row.criteria) {
      if (!one.accuracy || one.state != State::failed) continue;
      row.verdict = Verdict::invalid;
      row.reason = "accuracy failed: " + one.reason;
      row.launches_needed.reset();
    }
  }
}

}  // namespace bench::analysis
