// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/rank_tests.hpp"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "analysis/statistics/quantiles.hpp"
#include "src/core/error.hpp"

namespace bench::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kRounding = 1e-12;  // of 1 - confidence: 3 values a side reach 0.9 exactly

bool usable(std::span<const double> values) {
  return !values.empty() && std::ranges::all_of(values, [](double x) { return std::isfinite(x); });
}

/// P(|Z| >= z).
double two_sided(double z) {
  if (z <= 0.0) return 1.0;
  return 2.0 * boost::math::cdf(boost::math::complement(boost::math::normal_distribution<double>(), z));
}

/// Sizes of the groups of equal values, smallest value first.
std::vector<std::int64_t> groups_of(std::span<const double> ascending) {
  std::vector<std::int64_t> sizes;
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    if (i == 0 || ascending[i] != ascending[i - 1]) sizes.push_back(0);
    ++sizes.back();
  }
  return sizes;
}

double u_statistic(std::span<const double> a, std::span<const double> b) {
  const std::vector<double> ascending = sorted(b);
  double twice = 0.0;
  for (const double value : a) {
    const auto [first, last] = std::equal_range(ascending.begin(), ascending.end(), value);
    twice += static_cast<double>((first - ascending.begin()) + (last - ascending.begin()));
  }
  return twice / 2.0;
}

std::vector<std::int64_t> groups_of_both(std::span<const double> a, std::span<const double> b) {
  std::vector<double> both(a.begin(), a.end());
  both.insert(both.end(), b.begin(), b.end());
  std::sort(both.begin(), both.end());
  return groups_of(both);
}

bool exact_is_cheap(double n, double m) {
  return n + m <= static_cast<double>(kExactValues) && (n + m) * 2.0 * n * m * std::min(n, m) <= kExactSteps;
}

/// C(n, 0..k).
std::vector<double> binomials(std::int64_t n, std::int64_t k) {
  std::vector<double> row{1.0};
  for (std::int64_t j = 1; j <= k; ++j)
    row.push_back(std::round(row.back() * static_cast<double>(n - j + 1) / static_cast<double>(j)));
  return row;
}

/// P(2U = w) for w = 0..2nm when n of the grouped values are dealt to side a at random and m to side b.
/// ways[k][w] counts the deals of the groups so far that gave k values to a, with 2U = w among them. j of a
/// group of t to side a win against the b's below, and tie with the t - j of their own group.
class Deals {
 public:
  Deals(std::int64_t n, std::int64_t m)
      : n_(n), m_(m), ways_(static_cast<std::size_t>((n + 1) * (2 * n * m + 1))) {
    row(0)[0] = 1.0;
  }

  /// Rows are filled from the last to the first, so that those they are filled from are still the old ones.
  void add_group(std::int64_t t) {
    const std::vector<double> choices = binomials(t, std::min(t, n_));
    for (std::int64_t k = std::min(n_, seen_ + t); k >= 1; --k) {
      for (std::int64_t j = 1; j <= std::min(k, t); ++j) extend(k - j, j, t, choices);
    }
    seen_ += t;
  }

  std::vector<double> probabilities() {
    double* last = row(n_);
    std::vector<double> p(last, last + 2 * n_ * m_ + 1);
    const double all = std::accumulate(p.begin(), p.end(), 0.0);
    for (double& value : p) value /= all;
    return p;
  }

 private:
  double* row(std::int64_t k) { return ways_.data() + k * (2 * n_ * m_ + 1); }

  void extend(std::int64_t k, std::int64_t j, std::int64_t t, const std::vector<double>& choices) {
    const std::int64_t below = seen_ - k;
    if (below < 0 || below + t - j > m_) return;  // more than side b holds
    const std::int64_t won = 2 * j * below + j * (t - j);
    const double factor = choices[static_cast<std::size_t>(j)];
    const double* from = row(k);
    double* to = row(k + j) + won;
    for (std::int64_t w = 0; w <= 2 * k * below; ++w) to[w] += factor * from[w];
  }

  std::int64_t n_, m_, seen_ = 0;
  std::vector<double> ways_;
};

/// As Deals, with the smaller side dealt first: U of one side is nm - U of the other.
std::vector<double> distribution_of_2u(std::int64_t n, std::int64_t m, std::span<const std::int64_t> groups) {
  Deals deals(std::min(n, m), std::max(n, m));
  for (const std::int64_t size : groups) deals.add_group(size);
  std::vector<double> p = deals.probabilities();
  if (n > m) std::reverse(p.begin(), p.end());
  return p;
}

/// The count of differences a_i - b_j <= limit. Rounding keeps the order of differences, so it is exact.
std::int64_t differences_up_to(double limit, std::span<const double> a, std::span<const double> b) {
  std::int64_t count = 0;
  std::size_t j = b.size();
  for (const double value : a) {  // the larger a_i is, the larger the b_j it needs
    while (j > 0 && value - b[b.size() - j] > limit) --j;
    count += static_cast<std::int64_t>(j);
  }
  return count;
}

/// The k-th smallest difference (1-based) of two ascending samples, by halving its range until no double is
/// left between the ends.
double kth_difference(std::int64_t k, std::span<const double> a, std::span<const double> b) {
  double above = a.back() - b.front(), below = a.front() - b.back();
  if (differences_up_to(below, a, b) >= k) return below;
  for (;;) {
    const double middle = below + (above - below) / 2.0;
    if (middle <= below || middle >= above) return above;
    (differences_up_to(middle, a, b) >= k ? above : below) = middle;
  }
}

Ranks difference_ranks(std::int64_t n, std::int64_t m, double confidence) {
  const auto nd = static_cast<double>(n), md = static_cast<double>(m);
  if (!exact_is_cheap(nd, md)) {
    const double spread = z_two_sided(confidence) * std::sqrt(nd * md * (nd + md + 1.0) / 12.0);
    const auto k = static_cast<std::int64_t>(std::floor(nd * md / 2.0 - spread));
    return {k, n * m + 1 - k, confidence};
  }
  const std::vector<std::int64_t> no_ties(static_cast<std::size_t>(n + m), 1);
  const std::vector<double> p = distribution_of_2u(n, m, no_ties);
  std::int64_t k = 0;
  double tail = 0.0;  // P(U <= k - 1); U is whole, so only even 2U have weight
  while (2 * k <= n * m && 2.0 * (tail + p[static_cast<std::size_t>(2 * k)]) <= 1.0 - confidence + kRounding)
    tail += p[static_cast<std::size_t>(2 * k++)];
  return {k, n * m + 1 - k, 1.0 - 2.0 * tail};
}

/// Sums over tie groups of the terms that Kendall's variance needs.
struct TieSums {
  double pairs = 0.0;     // sum t(t-1)/2
  double triples = 0.0;   // sum t(t-1)(t-2)
  double weighted = 0.0;  // sum t(t-1)(2t+5)
};
TieSums tie_sums(std::span<const double> values) {
  TieSums sums;
  for (const std::int64_t size : groups_of(sorted(values))) {
    const auto t = static_cast<double>(size);
    sums.pairs += t * (t - 1.0) / 2.0;
    sums.triples += t * (t - 1.0) * (t - 2.0);
    sums.weighted += t * (t - 1.0) * (2.0 * t + 5.0);
  }
  return sums;
}

/// Concordant minus discordant pairs in O(n log n): points enter in order of x, points of equal x together,
/// into a Fenwick tree of counts by the rank of y.
class PairCounter {
 public:
  explicit PairCounter(std::span<const double> y) : ascending_(sorted(y)), tree_(y.size() + 1, 0) {}

  std::int64_t score(double y) const {
    const auto [first, last] = std::equal_range(ascending_.begin(), ascending_.end(), y);
    const std::int64_t below = count(first - ascending_.begin()), up_to = count(last - ascending_.begin());
    return below - (entered_ - up_to);
  }

  void enter(double y) {
    const auto first = std::lower_bound(ascending_.begin(), ascending_.end(), y);
    auto i = static_cast<std::size_t>(first - ascending_.begin()) + 1;
    for (; i < tree_.size(); i += i & (~i + 1)) ++tree_[i];
    ++entered_;
  }

 private:
  std::int64_t count(std::ptrdiff_t ranks) const {
    std::int64_t sum = 0;
    for (auto i = static_cast<std::size_t>(ranks); i > 0; i &= i - 1) sum += tree_[i];
    return sum;
  }

  std::vector<double> ascending_;
  std::vector<std::int64_t> tree_;
  std::int64_t entered_ = 0;
};

double concordance(std::span<const double> x, std::span<const double> y) {
  std::vector<std::pair<double, double>> points;
  for (std::size_t i = 0; i < x.size(); ++i) points.emplace_back(x[i], y[i]);
  std::sort(points.begin(), points.end());
  PairCounter counter(y);
  std::int64_t s = 0;
  for (std::size_t first = 0, last = 0; first < points.size(); first = last) {
    for (; last < points.size() && points[last].first == points[first].first; ++last)
      s += counter.score(points[last].second);
    for (std::size_t i = first; i < last; ++i) counter.enter(points[i].second);
  }
  return static_cast<double>(s);
}

}  // namespace

RankTest mann_whitney(std::span<const double> a, std::span<const double> b) {
  const auto n = static_cast<std::int64_t>(a.size()), m = static_cast<std::int64_t>(b.size());
  if (!usable(a) || !usable(b)) return {kNaN, kNaN};
  if (!exact_is_cheap(static_cast<double>(n), static_cast<double>(m))) return mann_whitney_asymptotic(a, b);
  const double u = u_statistic(a, b);
  const std::vector<double> p = distribution_of_2u(n, m, groups_of_both(a, b));
  const auto at = static_cast<std::ptrdiff_t>(2.0 * u);
  const double low = std::accumulate(p.begin(), p.begin() + at + 1, 0.0);
  const double high = std::accumulate(p.begin() + at, p.end(), 0.0);
  return {u, std::min(1.0, 2.0 * std::min(low, high))};
}

RankTest mann_whitney_asymptotic(std::span<const double> a, std::span<const double> b) {
  if (!usable(a) || !usable(b)) return {kNaN, kNaN};
  const auto n = static_cast<double>(a.size()), m = static_cast<double>(b.size());
  const double all = n + m, u = u_statistic(a, b);
  double ties = 0.0;
  for (const std::int64_t size : groups_of_both(a, b)) {
    const auto t = static_cast<double>(size);
    ties += t * t * t - t;
  }
  const double variance = n * m / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
  if (variance <= 0.0) return {u, 1.0};
  return {u, two_sided((std::abs(u - n * m / 2.0) - 0.5) / std::sqrt(variance))};
}

Estimate hodges_lehmann(std::span<const double> a, std::span<const double> b, double confidence) {
  BS_REQUIRE(confidence > 0.0 && confidence < 1.0, "a confidence lies between 0 and 1, not at ", confidence);
  if (!usable(a) || !usable(b)) return {kNaN, std::nullopt};
  const std::vector<double> from = sorted(a), taken = sorted(b);
  const auto n = static_cast<std::int64_t>(a.size()), m = static_cast<std::int64_t>(b.size());
  const double low_middle = kth_difference((n * m + 1) / 2, from, taken);
  const double high_middle = kth_difference(n * m / 2 + 1, from, taken);
  Estimate shift{low_middle + (high_middle - low_middle) / 2.0, std::nullopt};
  const Ranks ranks = difference_ranks(n, m, confidence);
  if (ranks.lo < 1) return shift;
  shift.interval = finite_interval(kth_difference(ranks.lo, from, taken),
                                   kth_difference(ranks.hi, from, taken), ranks.coverage);
  return shift;
}

double cliffs_delta(std::span<const double> a, std::span<const double> b) {
  if (!usable(a) || !usable(b)) return kNaN;
  const double pairs = static_cast<double>(a.size()) * static_cast<double>(b.size());
  return (2.0 * u_statistic(a, b) - pairs) / pairs;
}

KendallTau kendall_tau_b(std::span<const double> x, std::span<const double> y) {
  BS_REQUIRE(x.size() == y.size(), "Kendall's tau needs pairs, not ", x.size(), " and ", y.size(), " values");
  if (x.size() < 2 || !usable(x) || !usable(y)) return {kNaN, kNaN, kNaN, kNaN};
  const auto n = static_cast<double>(x.size());
  const double pairs = n * (n - 1.0) / 2.0, s = concordance(x, y);
  const TieSums tx = tie_sums(x), ty = tie_sums(y);
  double variance =
      (n * (n - 1.0) * (2.0 * n + 5.0) - tx.weighted - ty.weighted) / 18.0 + tx.pairs * ty.pairs / pairs;
  if (n > 2.0) variance += tx.triples * ty.triples / (9.0 * n * (n - 1.0) * (n - 2.0));
  if (pairs <= tx.pairs || pairs <= ty.pairs) return {kNaN, kNaN, s, variance};
  const double tau = s / std::sqrt(pairs - tx.pairs) / std::sqrt(pairs - ty.pairs);
  return {std::clamp(tau, -1.0, 1.0), two_sided(std::abs(s) / std::sqrt(variance)), s, variance};
}

}  // namespace bench::analysis
