// SPDX-License-Identifier: Apache-2.0
// Raw samples in long form: no padding, one row each, straight from the records.
#include <algorithm>
#include <limits>
#include <map>
#include <numeric>

#include "analysis/columns.hpp"
#include "analysis/sample_times.hpp"

namespace bench::analysis {
namespace {

std::map<std::string, std::int64_t> case_indices(const RunRecord& run) {
  std::map<std::string, std::int64_t> index;
  for (std::size_t i = 0; i < run.cases.size(); ++i) index[run.cases[i].id] = static_cast<std::int64_t>(i);
  return index;
}

/// Whether each sample of a visit is among those that its case's time is taken of.
std::vector<std::int64_t> counting(const VisitRecord& visit, const CaseResult& result, std::size_t row) {
  std::vector<std::int64_t> counts(sample_times(visit).size(), 0);
  if (std::ranges::find(result.visits, row) == result.visits.end()) return counts;
  for (const std::size_t i : valid_samples(visit)) counts[i] = 1;
  return counts;
}

void append(auto& all, const auto& more) { all.insert(all.end(), more.begin(), more.end()); }

/// Calls row(case index, visit record, sample number, times of its ranks) for every sample.
template <class Row>
void for_each_sample(const RunRecord& run, Row&& row) {
  const auto index = case_indices(run);
  for (const VisitRecord& visit : run.visits) {
    const auto it = index.find(visit.case_id);
    if (it == index.end()) continue;  // make_results leaves it out, too
    const auto ranks = static_cast<std::size_t>(std::max<std::int64_t>(1, visit.ranks));
    for (std::size_t i = 0; (i + 1) * ranks <= visit.rank_time_s.size(); ++i)
      row(it->second, visit, static_cast<std::int64_t>(i), std::span(visit.rank_time_s).subspan(i * ranks, ranks));
  }
}

}  // namespace

std::vector<Column> sample_columns(const RunRecord& run, const Results& results) {
  std::vector<std::int64_t> row, case_index, visit, iter, counts, slowest, block, calls, flags;
  std::vector<double> time, most, least, mean;
  for_each_sample(run, [&](std::int64_t c, const VisitRecord& v, std::int64_t i, std::span<const double> times) {
    if (i == 0) {
      append(time, sample_times(v));
      append(counts, counting(v, results.cases[static_cast<std::size_t>(c)], static_cast<std::size_t>(&v - run.visits.data())));
    }
    const auto worst = std::ranges::max_element(times);
    row.push_back(static_cast<std::int64_t>(row.size()));
    case_index.push_back(c);
    visit.push_back(v.visit);
    iter.push_back(i);
    most.push_back(*worst);
    least.push_back(std::ranges::min(times));
    mean.push_back(std::accumulate(times.begin(), times.end(), 0.0) / static_cast<double>(times.size()));
    slowest.push_back(worst - times.begin());
    block.push_back(v.block);
    calls.push_back(v.calls_per_sample);
    flags.push_back(v.flags.empty() ? 0 : v.flags[static_cast<std::size_t>(i)]);
  });
  return {{"row", "1", "row number", std::move(row)},
          {"case_index", "1", "row of /cases", std::move(case_index)},
          {"visit", "1", "visit of the case", std::move(visit)},
          {"iter", "1", "sample of the visit, in the order taken", std::move(iter)},
          {"time", "s", "time of one call over all ranks: on the common clock where that is known to 1 %, else t_max", std::move(time)},
          {"counts", "1", "1: among those that the case's time is taken of", std::move(counts)},
          {"t_max", "s", "time of one call on the slowest rank", std::move(most)},
          {"t_min", "s", "time of one call on the fastest rank", std::move(least)},
          {"t_mean", "s", "mean over ranks of the time of one call", std::move(mean)},
          {"argmax_rank", "1", "rank in the block that was slowest", std::move(slowest)},
          {"block", "1", "block of ranks", std::move(block)},
          {"calls", "1", "calls that the sample is the mean of", std::move(calls)},
          {"flags", "1", "bits: 1 late, 2 overrun, 4 throttled, 8 power_cap, 16 spin_timeout, 32 clock_bound, 64 warmup", std::move(flags)}};
}

std::vector<Column> rank_sample_columns(const RunRecord& run) {
  std::vector<std::int64_t> row, case_index, visit, iter, rank;
  std::vector<double> time, start;
  for_each_sample(run, [&](std::int64_t c, const VisitRecord& v, std::int64_t i, std::span<const double> times) {
    const std::size_t first = static_cast<std::size_t>(i) * times.size();
    for (std::size_t r = 0; r < times.size(); ++r) {
      row.push_back(static_cast<std::int64_t>(row.size()));
      case_index.push_back(c);
      visit.push_back(v.visit);
      iter.push_back(i);
      rank.push_back(static_cast<std::int64_t>(r));
      time.push_back(times[r]);
      start.push_back(v.rank_start_s.empty() ? std::numeric_limits<double>::quiet_NaN() : v.rank_start_s[first + r]);
    }
  });
  return {{"row", "1", "row number", std::move(row)},
          {"case_index", "1", "row of /cases", std::move(case_index)},
          {"visit", "1", "visit of the case", std::move(visit)},
          {"iter", "1", "sample of the visit", std::move(iter)},
          {"rank", "1", "rank in the block", std::move(rank)},
          {"time", "s", "time of one call on that rank", std::move(time)},
          {"start", "s", "start after the earliest rank's, on the common clock; NaN for one rank", std::move(start)}};
}

}  // namespace bench::analysis
