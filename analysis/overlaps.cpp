// SPDX-License-Identifier: Apache-2.0
#include "analysis/overlaps.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "analysis/case_parameters.hpp"
#include "analysis/scaling_rows.hpp"
#include "analysis/source_runs.hpp"
#include "scaling/parameters.hpp"

namespace bench::analysis {
namespace {

double overlap_at(double whole, double compute, double exchange) { return (compute + exchange - whole) / std::min(compute, exchange); }

/// Rows of a call by its kernel and parameters.
std::map<std::string, std::array<std::optional<std::size_t>, 3>> rows_by_call(const RunRecord& run, const Results& results) {
  std::map<std::string, std::array<std::optional<std::size_t>, 3>> calls;
  for (std::size_t row = 0; row < results.cases.size(); ++row) {
    const CaseResult& result = results.cases[row];
    if (!result.timed() || result.oversubscribed) continue;
    const scaling::Case& c = run.cases[result.case_index];
    calls[c.kernel + ' ' + parameters_key(c, "part")][static_cast<std::size_t>(scaling::part_of(c.params))] = row;
  }
  return calls;
}

void measure(Overlap& found, const RunRecord& run, const Results& results) {
  const double each = each_of_three(run.confidence);
  const auto time = [&](std::size_t row) { return time_at(run, results, row, each); };
  if (!found.whole || !found.compute) return;
  if (found.exchange) found.overlap = overlap_of(time(*found.whole), time(*found.compute), time(*found.exchange));
  const Estimate kept = time_ratio(run, results, *found.compute, *found.whole, each_of_two(run.confidence));
  found.exposed = Estimate{1.0 - kept.value, std::nullopt};
  if (kept.interval) found.exposed->interval = finite_interval(1.0 - kept.interval->hi, 1.0 - kept.interval->lo, kept.interval->confidence);
}

}  // namespace

/// In each time alone the figure rises or falls on either side of Tc = Tm, so its ends lie at corners of the box, or where the box is cut by that plane.
Estimate overlap_of(const Estimate& whole, const Estimate& compute, const Estimate& exchange) {
  Estimate result{overlap_at(whole.value, compute.value, exchange.value), std::nullopt};
  if (!whole.interval || !compute.interval || !exchange.interval) return result;
  const Interval &t = *whole.interval, &c = *compute.interval, &m = *exchange.interval;
  double least = result.value, most = result.value;
  const auto take = [&](double of_compute, double of_exchange) {
    for (const double of_whole : {t.lo, t.hi}) {
      const double value = overlap_at(of_whole, of_compute, of_exchange);
      least = std::min(least, value), most = std::max(most, value);
    }
  };
  for (const double of_compute : {c.lo, c.hi})
    for (const double of_exchange : {m.lo, m.hi}) take(of_compute, of_exchange);
  const double from = std::max(c.lo, m.lo), to = std::min(c.hi, m.hi);
  if (from <= to) take(from, from), take(to, to);
  result.interval = finite_interval(least, most, t.confidence + c.confidence + m.confidence - 2.0);
  return result;
}

std::vector<Overlap> find_overlaps(const RunRecord& run, const Results& results) {
  std::vector<Overlap> overlaps;
  for (const auto& [key, rows] : rows_by_call(run, results)) {
    const auto& [whole, compute, exchange] = rows;
    if (!compute && !exchange) continue;
    const std::size_t first = whole ? *whole : compute ? *compute : *exchange;
    const auto beside = [&](const std::optional<std::size_t>& row) {
      return row && comparable_environments(results.cases[*row].environment, results.cases[first].environment) ? row : std::nullopt;
    };
    Overlap& found = overlaps.emplace_back(Overlap{first, whole, beside(compute), beside(exchange), {}, {}});
    measure(found, run, results);
  }
  std::ranges::sort(overlaps, {}, &Overlap::row);
  return overlaps;
}

}  // namespace bench::analysis
