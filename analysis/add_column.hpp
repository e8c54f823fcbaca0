// SPDX-License-Identifier: Apache-2.0
// How columns are filled from rows; for the files that make them.
#pragma once

#include <limits>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "analysis/columns.hpp"

namespace bench::analysis {

inline constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// Adds a column by calling `get` for every row.
template <class Rows, class Get>
void add(std::vector<Column>& columns, const char* name, const char* unit, const char* long_name, const Rows& rows, Get&& get) {
  using T = std::decay_t<decltype(get(*rows.begin()))>;
  std::vector<T> values;
  for (const auto& row : rows) values.push_back(get(row));
  columns.push_back({name, unit, long_name, std::move(values)});
}

inline double lo(const std::optional<Estimate>& e) { return e && e->interval ? e->interval->lo : kNone; }
inline double hi(const std::optional<Estimate>& e) { return e && e->interval ? e->interval->hi : kNone; }
inline double value(const std::optional<Estimate>& e) { return e ? e->value : kNone; }
inline double positive(double x) { return x > 0.0 ? x : kNone; }

}  // namespace bench::analysis
