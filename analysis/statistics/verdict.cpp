// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "analysis/statistics/equivalence.hpp"

namespace bench::analysis {
namespace {

constexpr Estimate kNoRatio{std::numeric_limits<double>::quiet_NaN(), std::nullopt};
constexpr double kSmallestPShown = 1e-12;  // smaller ones say nothing more, and the tail is not that exact
constexpr std::int64_t kFewestForInterval = 3;

double percent(double share) {
  return 100.0 * share;
}

std::string p_words(double p) {
  return p < kSmallestPShown ? "adjusted p < 1e-12" : fmt::format("adjusted p {:.2g}", p);
}

std::string launches_words(std::int64_t count) {
  return fmt::format("{} {}", count, count == 1 ? "launch" : "launches");
}

/// "the new time is +1.2 % [-0.3 %, +2.7 %]": the change with its interval.
std::string change_words(const Estimate& ratio) {
  return fmt::format("the new time is {:+.2f} % [{:+.2f} %, {:+.2f} %]", percent(ratio.value - 1.0),
                     percent(ratio.interval->lo - 1.0), percent(ratio.interval->hi - 1.0));
}

bool valid(std::span<const double> times_s) {
  return std::ranges::all_of(times_s, [](double t) { return std::isfinite(t) && t > 0.0; });
}

/// The verdict when a side was not measured, or with a time that is none.
std::optional<Decision> without_comparison(const VerdictInput& input) {
  const bool no_old = input.launches_a_s.empty(), no_new = input.launches_b_s.empty();
  const auto say = [](Verdict verdict, const char* reason) {
    return Decision{verdict, kNoRatio, reason, std::nullopt};
  };
  if (no_old && no_new) return say(Verdict::invalid, "no launch on either side");
  if (!valid(input.launches_a_s)) return say(Verdict::invalid, "an old time is not a positive number");
  if (!valid(input.launches_b_s)) return say(Verdict::invalid, "a new time is not a positive number");
  if (no_new) return say(Verdict::missing, "measured before, absent from the new results");
  if (no_old) return say(Verdict::new_case, "absent from the old results");
  return std::nullopt;
}

Decision insufficient(const Estimate& ratio, std::int64_t old_count, std::int64_t new_count,
                      std::int64_t fewest) {
  const std::string have = old_count == new_count
                               ? launches_words(old_count) + " a side"
                               : fmt::format("{} before and {} after", launches_words(old_count), new_count);
  return {Verdict::insufficient, ratio,
          fmt::format("{}; a verdict needs {}{}", have, fewest, old_count == new_count ? "" : " a side"),
          fewest};
}

/// What a comparison with intervals says.
Decision called(const LaunchRatio& launches, const VerdictInput& input, const VerdictRule& rule) {
  const Interval& interval = *launches.ratio.interval;
  const std::string change = change_words(launches.ratio);
  if (inside_band(launches.equivalence, rule.margin)) {
    return {Verdict::same, launches.ratio, fmt::format("{}, within {:g} %", change, percent(rule.margin)),
            std::nullopt};
  }
  const bool excludes_one = interval.lo > 1.0 || interval.hi < 1.0;
  if (input.adjusted_p < rule.alpha && excludes_one) {
    const Verdict verdict = interval.lo > 1.0 ? Verdict::slower : Verdict::faster;
    return {verdict, launches.ratio, fmt::format("{}, {}", change, p_words(input.adjusted_p)), std::nullopt};
  }
  const auto have = static_cast<std::int64_t>(std::min(input.launches_a_s.size(), input.launches_b_s.size()));
  const std::int64_t needed = std::max(have + 1, launches_needed(launches.sd_log, rule.margin));
  return {Verdict::ambiguous, launches.ratio,
          fmt::format("{}, {}; about {} a side would tell {:g} %", change, p_words(input.adjusted_p),
                      launches_words(needed), percent(rule.margin)),
          needed};
}

}  // namespace

std::string_view to_text(Verdict verdict) {
  constexpr std::array<std::string_view, 8> kTexts{"faster",       "slower",  "same", "ambiguous",
                                                   "insufficient", "missing", "new",  "invalid"};
  return kTexts.at(static_cast<std::size_t>(verdict));
}

Decision decide_verdict(const VerdictInput& input, const VerdictRule& rule) {
  if (auto decision = without_comparison(input)) return *std::move(decision);
  const LaunchRatio launches = launch_ratio(input.launches_a_s, input.launches_b_s, rule.confidence);
  const auto old_count = static_cast<std::int64_t>(input.launches_a_s.size());
  const auto new_count = static_cast<std::int64_t>(input.launches_b_s.size());
  const std::int64_t fewest = std::max<std::int64_t>(rule.min_launches, kFewestForInterval);
  if (std::min(old_count, new_count) < fewest) {
    return insufficient({launches.ratio.value, std::nullopt}, old_count, new_count, fewest);
  }
  const bool probability = input.adjusted_p >= 0.0 && input.adjusted_p <= 1.0;
  if (!probability || !launches.ratio.interval) {
    const char* reason =
        probability ? "the ratio of the times is beyond what a number holds" : "no p of this comparison";
    return {Verdict::invalid, launches.ratio, reason, std::nullopt};
  }
  return called(launches, input, rule);
}

}  // namespace bench::analysis
