// SPDX-License-Identifier: Apache-2.0
#include "analysis/factors.hpp"

#include <algorithm>
#include <numeric>
#include <span>

#include "analysis/overlaps.hpp"
#include "analysis/results.hpp"
#include "analysis/sample_times.hpp"
#include "scaling/parameters.hpp"

namespace bench::analysis {
namespace {

/// On one rank the layout changes nothing, so a share may have been measured under another one.
std::string key_of(const std::string& kernel, const Params& params, bool with_layout) {
  std::string key = kernel;
  for (const auto& [name, value] : params)
    if (with_layout || name != "layout") key += concat('\n', name, '=', bench::to_text(value));
  return key;
}

std::optional<double> over(const std::optional<double>& point, const std::optional<double>& base) {
  if (!point || !base || *base <= 0.0) return std::nullopt;
  return *point / *base;
}

/// Product of those that are known.
double product(std::initializer_list<std::optional<double>> factors) {
  double result = 1.0;
  for (const auto& factor : factors) result *= factor.value_or(1.0);
  return result;
}

}  // namespace

/// One case's side of every factor.
struct FactorModel::Part {
  Ideal ideal;
  std::optional<double> rate, skew;
};

double rank_balance(const VisitRecord& visit) {
  const auto ranks = static_cast<std::size_t>(std::max<std::int64_t>(1, visit.ranks));
  const std::vector<std::size_t> samples = valid_samples(visit);
  double sum = 0.0;
  for (const std::size_t i : samples) {
    const auto times = std::span(visit.rank_time_s).subspan(i * ranks, ranks);
    const double slowest = std::ranges::max(times);
    const double mean = std::accumulate(times.begin(), times.end(), 0.0) / static_cast<double>(ranks);
    sum += slowest > 0.0 ? mean / slowest : 1.0;
  }
  return samples.empty() ? 1.0 : sum / static_cast<double>(samples.size());
}

FactorModel::FactorModel(const RunRecord& run, const Results& results) : run_(run), results_(results) {
  for (const Overlap& overlap : find_overlaps(run, results))
    if (overlap.exposed) computes_.emplace(*overlap.whole, 1.0 - overlap.exposed->value);
  for (const CaseResult& result : results.cases) {
    const scaling::Case& c = run.cases[result.case_index];
    const bool measured = result.timed() && !result.oversubscribed && result.flops_per_s > 0.0;
    if (!measured || c.ranks != 1) continue;
    for (const bool with_layout : {true, false})
      alone_.emplace(key_of(c.kernel, c.params, with_layout), result.flops_per_s);
  }
}

std::optional<double> FactorModel::rate_alone(std::size_t index) const {
  const std::optional<Params> share = one_share(run_.cases[index]);
  if (!share) return std::nullopt;
  for (const bool with_layout : {true, false})
    if (const auto it = alone_.find(key_of(run_.cases[index].kernel, *share, with_layout));
        it != alone_.end())
      return it->second;
  return std::nullopt;
}

std::optional<double> FactorModel::measured_overlap(std::size_t index) const {
  if (run_.cases[index].ranks == 1) return 1.0;
  const auto it = computes_.find(index);
  return it == computes_.end() ? std::nullopt : std::optional(it->second);
}

FactorModel::Part FactorModel::part(std::size_t index, double otherwise_flops_per_s) const {
  const scaling::Case& c = run_.cases[index];
  Part part;
  part.rate = rate_alone(index);
  attention::RankRates rates{.flops_per_s = part.rate.value_or(otherwise_flops_per_s)};
  if (const auto it = run_.limits.find({c.ranks, c.threads}); it != run_.limits.end() && scaling::link_of(c.params) == "mpi") {  // the limits are those of messages
    rates.link_latency_s = it->second.link_latency_s;
    rates.link_bytes_per_s = it->second.link_bytes_per_s;
  }
  part.ideal = ideal_of(c, rates);
  const std::vector<std::size_t>& visits = results_.cases[index].visits;
  if (visits.empty()) return part;
  double sum = 0.0;
  for (const std::size_t v : visits) sum += rank_balance(run_.visits[v]);
  part.skew = sum / static_cast<double>(visits.size());
  return part;
}

Factors FactorModel::factors(std::size_t base, std::size_t point, double efficiency) const {
  const Part from = part(base, 0.0);
  const Part to = part(point, from.rate.value_or(0.0));
  Factors f;
  f.layout = over(to.ideal.layout, from.ideal.layout);
  f.shape = over(to.rate, from.rate);
  const std::optional<double> modelled = over(to.ideal.overlap, from.ideal.overlap), measured = over(measured_overlap(point), measured_overlap(base));
  f.overlap_measured = measured && computes_.contains(point);
  f.overlap = f.overlap_measured ? measured : modelled;
  f.skew = over(to.skew, from.skew);
  f.extra_work = to.ideal.extra_work;
  const std::optional<double> less_work = over(from.ideal.extra_work, to.ideal.extra_work);
  if (f.layout && less_work) f.ideal = product({f.layout, less_work, modelled});
  if (f.layout || f.shape || f.overlap)
    f.remainder = efficiency / product({f.layout, less_work, f.shape, f.overlap, f.skew});
  f.wire_bytes = to.ideal.wire_bytes;
  f.knee_ranks = to.ideal.knee_ranks;
  return f;
}

}  // namespace bench::analysis
