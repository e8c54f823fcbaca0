// SPDX-License-Identifier: Apache-2.0
// Time over ranks: T(p) = a + b/p + c log2 p + d (p - 1) with no negative coefficient, so that no prediction
// is ever negative. a is work that no rank shares, b work that all share, c a tree's and d a ring's
// communication.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace bench::analysis {

inline constexpr std::size_t kTimeTerms = 4;
/// a, b, c, d in seconds; a term that a model does not have is 0.
using TimeTerms = std::array<double, kTimeTerms>;

/// Headline time of one rank count. `relative_se` is the standard error of the time over the time; 0:
/// unknown.
struct TimePoint {
  double ranks = 1.0;
  double time_s = 0.0;
  double relative_se = 0.0;
};

/// A model: which of the four terms it has.
struct TimeRung {
  const char* name;
  std::array<bool, kTimeTerms> terms;

  std::int64_t parameters() const;
};

/// What T(p) is taken of. strong: a fixed problem; amdahl is a, b. weak: time at the same work per rank,
/// which nothing divides by p, so its models have no b.
enum class Ladder { strong, weak };
/// The models of a ladder, simplest first.
std::span<const TimeRung> rungs(Ladder ladder);

struct TimeFit {
  const TimeRung* rung = nullptr;  // of rungs(); null: not fitted, and `note` says why
  TimeTerms terms{};
  double aicc = 0.0;
  double relative_sd = 0.0;   // of a point from the curve, over the curve: sqrt(RSS / (n - parameters))
  std::int64_t n_points = 0;  // distinct rank counts
  std::string note{};         // not fitted, n=..; or which other model the points allow as well
};

/// T at any real p >= 1.
double time_at(const TimeTerms& terms, double ranks);

/// The model's coefficients by non-negative least squares on relative error: weights 1/T^2, or 1/(T se)^2
/// when every point has its relative_se. Weights are scaled to a mean of 1 (relative), so that RSS is that of
/// relative errors either way. nullopt with fewer distinct rank counts than parameters + 1. aicc is NaN below
/// parameters + 3 points. Throws Error(internal) for a time that is not positive or a rank count below 1.
std::optional<TimeFit> fit_rung(std::span<const TimePoint> points, const TimeRung& rung);

/// Climbs the ladder: a model with more terms is taken only when its AICc (information.hpp) is better by more
/// than 2 units. A model needs parameters + 3 distinct rank counts, which is where AICc exists; a choice
/// needs two models, hence 5.
TimeFit fit_time(std::span<const TimePoint> points, Ladder ladder);
inline constexpr std::int64_t kFewestFitPoints = 5;

/// Amdahl's f = a / (a + b); nullopt when there is no such split (a + b = 0).
std::optional<double> amdahl_fraction(const TimeTerms& terms);
/// The p >= 1 beyond which more ranks are slower: sqrt(b/d), or b ln 2 / c without d, or where the two
/// together turn the slope; nullopt when time falls for ever.
std::optional<double> peak_ranks(const TimeTerms& terms);
/// T(1) over the least time: T(1)/T(peak), or (a + b)/a without a peak; nullopt when nothing bounds it.
std::optional<double> max_speedup(const TimeTerms& terms);

}  // namespace bench::analysis
