// SPDX-License-Identifier: Apache-2.0
// Does an interval of nominal 95 % hold the true median in 95 % of series? Times are drawn whose median is
// known, and the series whose interval holds it are counted. What is estimated is a share c of R series, so
// its binomial standard error is sqrt(c (1-c) / R): 0.0034 for c = 0.95 and R = 4000, 0.015 for c = 0.94 and
// the 250 of 400 series that converge in the hardest case. Seeds are fixed, so each test gives the same count
// every time.
#include <cmath>
#include <optional>

#include "analysis/statistics/intervals.hpp"
#include "analysis/statistics/quantiles.hpp"
#include "analysis/statistics/stop.hpp"
#include "src/core/rng.hpp"
#include "tests/analysis/known_answers.hpp"

namespace bench::analysis {
namespace {

struct Count {
  int series = 0, converged = 0, covered = 0;
  double share() const { return static_cast<double>(covered) / converged; }
  double standard_error(double truth) const { return std::sqrt(truth * (1.0 - truth) / converged); }
};

bool holds(const std::optional<Interval>& interval, double truth) {
  return interval && interval->lo <= truth && truth <= interval->hi;
}

/// Independent times of median 1: lognormal with spread 5 %, or a floor with an exponential tail above.
enum class Shape { lognormal, shifted_exponential };
double time_at(const CounterRng& rng, std::uint64_t i, Shape shape) {
  if (shape == Shape::lognormal) return std::exp(0.05 * rng.normal(i));
  return 1.0 + 0.05 * (-std::log(1.0 - rng.uniform(i)) - std::log(2.0));
}

struct Independent {
  std::int64_t n;
  Shape shape;
};
class MedianIntervalOfIndependentTimes : public testing::TestWithParam<Independent> {};

/// Ranks are whole, so the interval covers a little more than asked for, by an amount known exactly
/// (Ranks::coverage). The lengths are such that it lies inside the band: 0.9586 (n = 20), 0.9572 (30), 0.9648
/// (100), 0.9537 (1000). 4000 series each, 2000 of the longest; at n = 32 it is 0.9800 and outside.
TEST_P(MedianIntervalOfIndependentTimes, HoldsTheMedianAsOftenAsItSays) {
  const auto [n, shape] = GetParam();
  const CounterRng rng(static_cast<std::uint64_t>(n), "coverage");
  const int series = n < 1000 ? 4000 : 2000;
  Count count{series, series, 0};
  std::vector<double> times(static_cast<std::size_t>(n));
  for (int run = 0; run < count.series; ++run) {
    for (std::size_t i = 0; i < times.size(); ++i)
      times[i] = time_at(rng, static_cast<std::uint64_t>(run) * times.size() + i, shape);
    count.covered += holds(median_interval(sorted(times), 0.95), 1.0);
  }
  const double exact = median_ranks(n, 0.95).value().coverage;
  EXPECT_NEAR(count.share(), exact, 3.5 * count.standard_error(exact));
  EXPECT_GE(count.share(), 0.93);
  EXPECT_LE(count.share(), 0.97);
}

INSTANTIATE_TEST_SUITE_P(LengthsAndShapes, MedianIntervalOfIndependentTimes,
                         testing::Values(Independent{20, Shape::lognormal},
                                         Independent{30, Shape::shifted_exponential},
                                         Independent{100, Shape::lognormal},
                                         Independent{100, Shape::shifted_exponential},
                                         Independent{1000, Shape::lognormal}));

/// The whole rule on AR(1) times of median 1 and spread cv, neighbours correlated by phi: looks at 32, 64,
/// ..., 1024 until it stops, then the interval at that look. Series that end otherwise are not counted as
/// converged: what is printed of them says so.
Count run_rule(int series, double cv, double phi) {
  Count count{series, 0, 0};
  for (int run = 0; run < series; ++run) {
    const CounterRng rng(static_cast<std::uint64_t>(run), "rule");
    std::vector<double> times;
    double state = rng.normal(0);
    StopReason reason = StopReason::keep_going;
    for (std::size_t look = 32; reason == StopReason::keep_going; look *= 2) {
      while (times.size() < look) {
        times.push_back(1.0 + cv * state);
        state = phi * state + std::sqrt(1.0 - phi * phi) * rng.normal(times.size());
      }
      reason = decide(times, 0.0, {});
    }
    if (reason != StopReason::converged) continue;
    ++count.converged;
    count.covered += holds(median_interval(sorted(times), 0.95, effective_tau(times)), 1.0);
  }
  return count;
}

/// 2000 series gave 0.9640 (spread 5 %, all converged). Only the lower side is bounded: a correlation that
/// noise feigns widens intervals, never narrows them.
TEST(StopRuleCoverage, OfIndependentTimesIsAtLeastWhatTheBandAsks) {
  const Count count = run_rule(1000, 0.05, 0.0);
  EXPECT_EQ(count.converged, count.series);
  EXPECT_GE(count.share(), 0.93);
}

/// 2000 series gave 0.936 (spread 2 %, 0.99 converged) and 0.938 (5 %, 0.64 converged: at 1024 samples of
/// tau 19 the interval is barely narrow enough, and the trend test, made for independent samples, takes many
/// of the slow swings for drift; without it 0.87 converge and 0.940 are covered).
TEST(StopRuleCoverage, OfStronglyDependentTimesIsAtLeastNinetyPercent) {
  for (const double cv : {0.02, 0.05}) {
    const Count count = run_rule(400, cv, 0.9);
    EXPECT_GE(count.converged, count.series / 2) << cv;
    EXPECT_GE(count.share(), 0.90) << cv << ": " << count.covered << " of " << count.converged;
  }
}

}  // namespace
}  // namespace bench::analysis
