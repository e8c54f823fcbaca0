// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/autocorrelation.hpp"

#include <algorithm>
#include <boost/math/distributions/chi_squared.hpp>
#include <cmath>
#include <vector>

#include "analysis/statistics/moments.hpp"
#include "analysis/statistics/quantiles.hpp"

namespace bench::analysis {
namespace {

constexpr double kNegligibleTau = 1.2;  // it would widen an interval by less than a tenth: sqrt(1.2)
constexpr double kRejectionLevel = 0.01;
constexpr std::size_t kFewestForTau = 4;  // two pairs of lags

/// A series about its mean, and r_k of it.
class Centred {
 public:
  explicit Centred(std::span<const double> x) {
    const double mean = moments_of(x).mean;
    values_.reserve(x.size());
    for (const double value : x) values_.push_back(value - mean);
    sum_of_squares_ = lagged_product(0);
  }
  bool varies() const { return std::isfinite(sum_of_squares_) && sum_of_squares_ > 0.0; }
  double r(std::size_t lag) const { return lagged_product(lag) / sum_of_squares_; }

 private:
  double lagged_product(std::size_t lag) const {
    double sum = 0.0;
    for (std::size_t t = 0; t + lag < values_.size(); ++t) sum += values_[t] * values_[t + lag];
    return sum;
  }

  std::vector<double> values_;
  double sum_of_squares_ = 0.0;
};

}  // namespace

double autocorrelation(std::span<const double> x, std::int64_t lag) {
  const Centred centred(x);
  return centred.varies() ? centred.r(static_cast<std::size_t>(lag)) : 0.0;
}

std::int64_t ljung_box_lags(std::int64_t n) {
  return std::min<std::int64_t>(10, n / 5);
}

LjungBox ljung_box(std::span<const double> x, std::int64_t lags) {
  const std::int64_t last = std::min(lags, static_cast<std::int64_t>(x.size()) - 1);
  const Centred centred(x);
  if (last < 1 || !centred.varies()) return {};
  const auto n = static_cast<double>(x.size());
  double sum = 0.0;
  for (std::int64_t k = 1; k <= last; ++k) {
    const double r = centred.r(static_cast<std::size_t>(k));
    sum += r * r / (n - static_cast<double>(k));
  }
  const double q = n * (n + 2.0) * sum;
  const boost::math::chi_squared_distribution<double> chi(static_cast<double>(last));
  return {q, boost::math::cdf(boost::math::complement(chi, q))};
}

double autocorrelation_time(std::span<const double> x) {
  const Centred centred(x);
  if (x.size() < kFewestForTau || !centred.varies()) return 1.0;
  double sum = 0.0;
  double smallest = 2.0;  // r_0 + r_1 is at most 2
  for (std::size_t lag = 0; lag + 1 < x.size(); lag += 2) {
    const double pair = centred.r(lag) + centred.r(lag + 1);
    if (pair <= 0.0) break;
    smallest = std::min(smallest, pair);
    sum += smallest;
  }
  return std::clamp(2.0 * sum - 1.0, 1.0, static_cast<double>(x.size()) / 2.0);
}

double effective_tau(std::span<const double> x) {
  if (!varies(x)) return 1.0;
  const double tau = autocorrelation_time(x);
  if (tau >= kNegligibleTau) return tau;
  return effective_tau(x, tau, ljung_box(x, ljung_box_lags(static_cast<std::int64_t>(x.size()))));
}

double effective_tau(std::span<const double> x, double tau, const LjungBox& test) {
  if (!varies(x)) return 1.0;
  return tau >= kNegligibleTau || test.p < kRejectionLevel ? tau : 1.0;
}

}  // namespace bench::analysis
