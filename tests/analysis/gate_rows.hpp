// SPDX-License-Identifier: Apache-2.0
// Rows of a comparison, filled by hand.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "analysis/compare/comparison.hpp"

namespace bench::analysis {

/// A case of 1 ms and 5 launches a side whose new/old ratio is `value` in [lo, hi].
inline ComparisonRow row_of(std::string name, double value, double lo, double hi, double adjusted_p) {
  ComparisonRow row;
  row.key = name;
  row.name = std::move(name);
  row.dtype = "fp32";
  row.old_s = 1e-3;
  row.new_s = 1e-3 * value;
  row.launches_old = row.launches_new = 5;
  row.ratio = {value, Interval{lo, hi}};
  row.p = row.adjusted_p = adjusted_p;
  row.verdict = lo > 1.0 ? Verdict::slower : hi < 1.0 ? Verdict::faster : Verdict::ambiguous;
  row.reason = "by hand";
  return row;
}

inline ComparisonRow same_row(std::string name) {
  ComparisonRow row = row_of(std::move(name), 1.0, 0.995, 1.005, 0.9);
  row.verdict = Verdict::same;
  return row;
}

inline ComparisonRow regressed_row(std::string name) {
  return row_of(std::move(name), 1.08, 1.05, 1.11, 0.001);
}

/// A case that was not measured on one side.
inline ComparisonRow one_sided_row(std::string name, Verdict verdict) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  ComparisonRow row = same_row(std::move(name));
  row.verdict = verdict;
  row.ratio = {kNone, std::nullopt};
  row.p = row.adjusted_p = kNone;
  (verdict == Verdict::missing ? row.new_s : row.old_s) = kNone;
  (verdict == Verdict::missing ? row.launches_new : row.launches_old) = 0;
  return row;
}

/// `launches` a side, too few for an interval.
inline ComparisonRow insufficient_row(std::string name, std::int64_t launches) {
  ComparisonRow row = same_row(std::move(name));
  row.verdict = Verdict::insufficient;
  row.ratio.interval.reset();
  row.p = row.adjusted_p = std::numeric_limits<double>::quiet_NaN();
  row.launches_old = row.launches_new = launches;
  row.reason = "too few launches";
  return row;
}

inline Comparison table_of(std::vector<ComparisonRow> rows) {
  Comparison comparison;
  comparison.old_label = "base.h5";
  comparison.new_label = "new.h5";
  for (const ComparisonRow& row : rows) comparison.joined += row.launches_old > 0 && row.launches_new > 0;
  comparison.rows = std::move(rows);
  return comparison;
}

}  // namespace bench::analysis
