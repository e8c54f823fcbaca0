// SPDX-License-Identifier: Apache-2.0
#include "scaling/axes.hpp"

#include <algorithm>
#include <limits>
#include <set>

#include "scaling/clauses.hpp"
#include "src/core/error.hpp"

namespace bench::scaling {
namespace {

std::string point_label(const Params& point) {
  std::string label;
  for (const auto& [name, value] : point)
    label += (label.empty() ? "" : ", ") + concat(name, "=", to_text(value));
  return label.empty() ? "the empty point" : label;
}

/// Point `index` of the product: a mixed-radix number whose last digit is the last zip, or the last axis when
/// there is none.
Params product_point(const AxisSpec& spec, std::size_t index) {
  Params point = spec.fixed;
  for (auto zip = spec.zips.rbegin(); zip != spec.zips.rend(); ++zip) {
    const std::vector<Value>& tuple = zip->tuples[index % zip->tuples.size()];
    index /= zip->tuples.size();
    for (std::size_t i = 0; i < tuple.size(); ++i) point[zip->names[i]] = tuple[i];
  }
  for (auto axis = spec.axes.rbegin(); axis != spec.axes.rend(); ++axis) {
    point[axis->name] = axis->values[index % axis->values.size()];
    index /= axis->values.size();
  }
  return point;
}

void apply_lets(const std::vector<Let>& lets, const Params& given, Params& point) {
  for (const Let& let : lets) {
    if (given.count(let.name) != 0) continue;
    point[let.name] = with_place("let " + let.name, [&] { return let.expression.evaluate(point); });
  }
}

std::string reason_to_drop(const std::vector<Condition>& conditions, const Params& point) {
  std::string reason;
  for (const Condition& condition : conditions)
    if (condition.expression.holds(point) == condition.drops_when)
      reason += (reason.empty() ? "" : "; ") + condition.clause;
  return reason;
}

void erase_names(const std::set<std::string>& names, Params& point) {
  for (const std::string& name : names) point.erase(name);
}

/// Removes every item whose point equals that of an earlier one. `point_of` maps an item to its Params.
template <class Item, class PointOf>
void merge_equal(std::vector<Item>& items, const PointOf& point_of) {
  const auto before = [&](std::size_t a, std::size_t b) { return point_of(items[a]) < point_of(items[b]); };
  std::set<std::size_t, decltype(before)> seen(before);
  std::vector<std::size_t> first_ones;
  for (std::size_t i = 0; i < items.size(); ++i)
    if (seen.insert(i).second) first_ones.push_back(i);
  for (std::size_t i = 0; i < first_ones.size(); ++i)
    if (first_ones[i] != i) items[i] = std::move(items[first_ones[i]]);
  items.erase(items.begin() + static_cast<std::ptrdiff_t>(first_ones.size()), items.end());
}

/// A point that was both dropped and kept (included by name, or the twin of one once helpers are gone) is not
/// dropped.
void forget_kept(Expansion& expansion) {
  const auto before = [](const Params* a, const Params* b) { return *a < *b; };
  std::set<const Params*, decltype(before)> kept(before);
  for (const Params& point : expansion.points) kept.insert(&point);
  auto& dropped = expansion.dropped;
  dropped.erase(std::remove_if(dropped.begin(), dropped.end(),
                               [&](const Expansion::Dropped& item) { return kept.count(&item.point) != 0; }),
                dropped.end());
}

void add_product(const AxisSpec& spec, const Clauses& clauses, Expansion& expansion) {
  const bool include_is_all = spec.axes.empty() && spec.zips.empty() && !spec.include.empty();
  const auto count = static_cast<std::size_t>(include_is_all ? 0 : product_size(spec));
  for (std::size_t i = 0; i < count; ++i) {
    Params point = product_point(spec, i);
    std::string reason;
    try {
      apply_lets(clauses.lets, {}, point);
      reason = reason_to_drop(clauses.conditions, point);
    } catch (const Error& error) {
      throw Error(error.kind(), concat(error.what(), " (at ", point_label(point), ")"));
    }
    erase_names(clauses.helpers, point);
    if (reason.empty()) {
      expansion.points.push_back(std::move(point));
    } else {
      expansion.dropped.push_back({std::move(point), std::move(reason)});
    }
  }
}

void add_included(const AxisSpec& spec, const Clauses& clauses, Expansion& expansion) {
  for (const Params& given : spec.include) {
    Params point = product_point(spec, 0);
    for (const auto& [name, value] : given) point[name] = value;
    with_place("include " + point_label(given), [&] { apply_lets(clauses.lets, given, point); });
    erase_names(clauses.helpers, point);
    expansion.points.push_back(std::move(point));
  }
}

}  // namespace

std::int64_t product_size(const AxisSpec& spec) {
  bool overflow = false, empty = false;
  std::int64_t size = 1;
  const auto times = [&](std::size_t count) {
    empty |= count == 0;
    overflow |= __builtin_mul_overflow(size, static_cast<std::int64_t>(count), &size);
  };
  for (const Axis& axis : spec.axes) times(axis.values.size());
  for (const AxisSpec::Zip& zip : spec.zips) times(zip.tuples.size());
  if (empty) return 0;
  return overflow ? std::numeric_limits<std::int64_t>::max() : size;
}

Expansion expand(const AxisSpec& spec, const std::vector<std::string>& known_names, std::int64_t max_points) {
  const Clauses clauses = parse_clauses(spec, known_names);
  const std::int64_t size = product_size(spec);
  const auto included = static_cast<std::int64_t>(spec.include.size());
  if (size > max_points || included > max_points - size)
    usage_error(concat("the sweep has ", size == std::numeric_limits<std::int64_t>::max() ? "more than " : "",
                       size, " points and ", included, " included ones, more than the ", max_points,
                       " allowed; shorten an axis or split the sweep"));
  Expansion expansion;
  add_product(spec, clauses, expansion);
  add_included(spec, clauses, expansion);
  merge_equal(expansion.points, [](const Params& point) -> const Params& { return point; });
  merge_equal(expansion.dropped, [](const Expansion::Dropped& item) -> const Params& { return item.point; });
  forget_kept(expansion);
  return expansion;
}

}  // namespace bench::scaling
