// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "analysis/statistics/equivalence.hpp"
#include "analysis/statistics/moments.hpp"
#include "analysis/statistics/multiplicity.hpp"
#include "analysis/statistics/rank_tests.hpp"
#include "analysis/statistics/verdict.hpp"
#include "analysis/tools/simulations.hpp"

namespace bench::analysis::tools {
namespace {

constexpr double kIntraLaunchCorrelation =
    0.37;                           // share of a sample's variance that its launch has in common
constexpr double kLaunchSd = 0.02;  // of the logarithm
constexpr int kSamples = 20;        // of a launch
constexpr int kCases = 50;          // of a table
constexpr double kLevel = 0.05;

/// One side of a case: every sample, launch by launch, and the geometric mean of each launch.
struct SideTimes {
  std::vector<double> samples_s, launches_s;
  std::span<const double> first_launch() const { return std::span(samples_s).first(kSamples); }
};

SideTimes measure(Noise& noise, int launches) {
  const double within = kLaunchSd * std::sqrt((1.0 - kIntraLaunchCorrelation) / kIntraLaunchCorrelation);
  SideTimes side;
  for (int launch = 0; launch < launches; ++launch) {
    const double shift = kLaunchSd * noise.normal();
    double sum = 0.0;
    for (int sample = 0; sample < kSamples; ++sample) {
      const double log_time = shift + within * noise.normal();
      side.samples_s.push_back(std::exp(log_time));
      sum += log_time;
    }
    side.launches_s.push_back(std::exp(sum / kSamples));
  }
  return side;
}

/// nvbench_compare's older rule: the same when the relative difference of the means is at most the smaller
/// of the two relative standard deviations.
bool differs_by_noise_rule(std::span<const double> before, std::span<const double> after) {
  const Moments a = moments_of(before), b = moments_of(after);
  return std::fabs(b.mean - a.mean) / a.mean > std::min(a.sd / a.mean, b.sd / b.mean);
}

/// Cells called different, and tables with any.
struct Called {
  const char* rule;
  std::int64_t cells = 0, tables = 0;
  void add(const std::vector<bool>& table) {
    cells += std::count(table.begin(), table.end(), true);
    tables += std::find(table.begin(), table.end(), true) != table.end();
  }
};

struct Pair {
  SideTimes before, after;
};

std::vector<bool> called_by_verdict(const std::vector<Pair>& pairs, const std::vector<double>& adjusted_p) {
  std::vector<bool> called;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const Verdict verdict =
        decide_verdict({pairs[i].before.launches_s, pairs[i].after.launches_s, adjusted_p[i]}).verdict;
    called.push_back(verdict == Verdict::faster || verdict == Verdict::slower);
  }
  return called;
}

template <class Rule>
std::vector<bool> called_by(const std::vector<Pair>& pairs, Rule&& rule) {
  std::vector<bool> called;
  for (const Pair& pair : pairs) called.push_back(rule(pair));
  return called;
}

std::vector<Called> run(Noise& noise, int launches, std::int64_t tables) {
  std::vector<Called> rules{
      {"launches, Holm"}, {"launches, BH"}, {"pooled Mann-Whitney"}, {"nvbench legacy"}};
  for (std::int64_t table = 0; table < tables; ++table) {
    std::vector<Pair> pairs;
    std::vector<double> p;
    for (int i = 0; i < kCases; ++i) {
      pairs.push_back({measure(noise, launches), measure(noise, launches)});
      p.push_back(
          launch_ratio(pairs.back().before.launches_s, pairs.back().after.launches_s, 1.0 - kLevel).p);
    }
    rules[0].add(called_by_verdict(pairs, holm(p)));
    rules[1].add(called_by_verdict(pairs, benjamini_hochberg(p)));
    rules[2].add(called_by(
        pairs, [](const Pair& c) { return mann_whitney(c.before.samples_s, c.after.samples_s).p < kLevel; }));
    rules[3].add(called_by(pairs, [](const Pair& c) {
      return differs_by_noise_rule(c.before.first_launch(), c.after.first_launch());
    }));
  }
  return rules;
}

}  // namespace

TextTable verdict_table(const Study& study) {
  TextTable table{{{"rule"}, {"launches a side", true}, {"cells wrong %", true}, {"tables with one %", true}},
                  {}};
  for (const int launches : {5, 10}) {
    Noise noise(study.seed, fmt::format("verdicts {}", launches));
    for (const Called& called : run(noise, launches, study.trials))
      table.rows.push_back({called.rule, fmt::format("{}", launches),
                            percent(called.cells, study.trials * kCases),
                            percent(called.tables, study.trials)});
  }
  return table;
}

}  // namespace bench::analysis::tools
