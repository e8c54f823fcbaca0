// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/autocorrelation.hpp"

#include <algorithm>
#include <boost/math/distributions/chi_squared.hpp>
#include <numeric>
#include <vector>

namespace bench::analysis {
namespace {

std::vector<double> centred(std::span<const double> x) {
  const double mean = std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
  std::vector<double> c;
  for (const double value : x) c.push_back(value - mean);
  return c;
}

double lagged_product(const std::vector<double>& c, std::size_t lag) {
  double sum = 0.0;
  for (std::size_t t = 0; t + lag < c.size(); ++t) sum += c[t] * c[t + lag];
  return sum;
}

double ratio_at(const std::vector<double>& c, double variance, std::size_t lag) {
  return variance > 0.0 && lag < c.size() ? lagged_product(c, lag) / variance : 0.0;
}

}  // namespace

double autocorrelation(std::span<const double> x, std::int64_t lag) {
  if (x.empty()) return 0.0;
  const std::vector<double> c = centred(x);
  return ratio_at(c, lagged_product(c, 0), static_cast<std::size_t>(lag));
}

std::int64_t ljung_box_lags(std::int64_t n) { return std::min<std::int64_t>(10, n / 5); }

LjungBox ljung_box(std::span<const double> x, std::int64_t lags) {
  if (lags < 1 || x.size() < 2) return {};
  const std::vector<double> c = centred(x);
  const double variance = lagged_product(c, 0);
  if (variance <= 0.0) return {};
  const auto n = static_cast<double>(x.size());
  double sum = 0.0;
  for (std::int64_t k = 1; k <= lags; ++k) {
    const double r = ratio_at(c, variance, static_cast<std::size_t>(k));
    sum += r * r / (n - static_cast<double>(k));
  }
  const double q = n * (n + 2.0) * sum;
  const boost::math::chi_squared_distribution<double> chi(static_cast<double>(lags));
  return {q, boost::math::cdf(boost::math::complement(chi, q))};
}

double autocorrelation_time(std::span<const double> x) {
  if (x.size() < 4) return 1.0;
  const std::vector<double> c = centred(x);
  const double variance = lagged_product(c, 0);
  if (variance <= 0.0) return 1.0;
  double sum = 0.0;
  double previous = 2.0;  // r_0 + r_1 is at most 2
  for (std::size_t lag = 0; lag + 1 < x.size(); lag += 2) {
    const double pair = std::min(previous, ratio_at(c, variance, lag) + ratio_at(c, variance, lag + 1));
    if (pair <= 0.0) break;
    sum += pair;
    previous = pair;
  }
  return std::clamp(2.0 * sum - 1.0, 1.0, static_cast<double>(x.size()) / 2.0);
}

}  // namespace bench::analysis
