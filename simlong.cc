// SPDX-License-Identifier: Apache-2.0
// How often is a gate wrong? 200 simulated changes, each judged by one table of 10 cases with one planted
// regression of 5 %, or none; fixed seeds. A launch's time is log-normal: what differs between launches (page
// placement, clocks, neighbours) multiplies. The spreads:
//   1 %    what careful launches on a shared machine vary by from start to start. At 5 launches a side the
//   ratio
//          then has a standard error of 0.63 %, and a true 5 % stands out from 0 but hardly from the default
//          limit of 3 %: 1.9 % away, 3.0 standard errors where t asks for 2.3. So that spread is tried with
//          the limit at 0, and with the default limit and the 12 launches it takes.
//   0.5 %  a pinned, quiet machine: 5 launches do for the default limit.
#include <gtest/gtest.h>

#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <random>

#include "analysis/compare/gate.hpp"

namespace bench::analysis {
namespace {

constexpr int kTrials = 200;
constexpr int kCases = 10;
constexpr double kPlanted = 1.05;

/// Gaussian noise by Box & Muller (1958), the same with every standard library.
class Noise {
 public:
  explicit Noise(std::uint64_t seed) : bits_(seed) {}
  double next() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::acos(-1.0) * uniform());
  }

 private:
  double uniform() { return static_cast<double>(bits_() >> 11U) * 0x1.0p-53; }
  std::mt19937_64 bits_;
};

struct Setting {
  double launch_sd = 0.01;  // of the logarithm
  int launches = 5;         // a side
  double worse_by = 0.03;
};

Side simulated(Noise& noise, const Setting& setting, double first_factor) {
  Side side;
  for (int i = 0; i < kCases; ++i) {
    Measured& one = side.cases["case " + std::to_string(i)];
    one.name = "case " + std::to_string(i);
    const double true_s = 1e-3 * (i + 1) * (i == 0 ? first_factor : 1.0);
    for (int launch = 0; launch < setting.launches; ++launch)
      one.launches_s.push_back(true_s * std::exp(setting.launch_sd * noise.next()));
  }
  side.launches = setting.launches;
  return side;
}

struct Counts {
  int caught = 0;  // trials whose first case is called a regression
  int others = 0;  // trials with another case called one
  int shut = 0;    // trials that did not pass
};

Counts run_trials(std::uint64_t seed, const Setting& setting, double first_factor) {
  Policy policy;
  policy.worse_by = setting.worse_by;
  Noise noise(seed);
  Counts counts;
  for (int trial = 0; trial < kTrials; ++trial) {
    const Side before = simulated(noise, setting, 1.0), after = simulated(noise, setting, first_factor);
    const GateResult result = gate(compare(before, after, policy.compare), policy);
    bool other = false;
    for (std::size_t i = 1; i < result.rows.size(); ++i)
      other = other || result.rows[i].state == GateRow::State::regression;
    counts.caught += result.rows.at(0).state == GateRow::State::regression;
    counts.others += other;
    counts.shut += !result.passed;
  }
  std::printf("  sd %g K %d worse_by %g factor %g: caught %d others %d shut %d of %d\n", setting.launch_sd, setting.launches, setting.worse_by, first_factor, counts.caught, counts.others, counts.shut, kTrials);
  return counts;
}

/// The chance that the planted case is caught. With u the difference of the mean logarithms and s_a, s_b the
/// sds of the sides, se^2 = (s_a^2 + s_b^2) / K, it is when u > max(ln(1 + worse_by) + t_{nu, 0.975} se,
/// t_{nu, 1 - 0.05/20} se): the interval's lower end above the limit, and p below 5 % after Holm over 10
/// cases. u is Gaussian and (K - 1) s^2 / sd^2 is chi^2 with K - 1 degrees of freedom, all independent; the
/// chance is averaged over 60 x 60 pairs of quantiles of s_a^2 and s_b^2, each with its own nu (Welch &
/// Satterthwaite).
double power_of(const Setting& setting) {
  using namespace boost::math;
  constexpr int kQuantiles = 60;
  const double k = setting.launches, u_sd = setting.launch_sd * std::sqrt(2.0 / k);
  const chi_squared chi(k - 1.0);
  const auto variance = [&](int i) {
    return setting.launch_sd * setting.launch_sd * quantile(chi, (i + 0.5) / kQuantiles) / (k - 1.0);
  };
  double power = 0.0;
  for (int i = 0; i < kQuantiles; ++i) {
    for (int j = 0; j < kQuantiles; ++j) {
      const double a = variance(i), b = variance(j), se = std::sqrt((a + b) / k);
      const students_t t((k - 1.0) * (a + b) * (a + b) / (a * a + b * b));
      const double over_limit = std::log1p(setting.worse_by) + quantile(t, 0.975) * se;
      const double told = quantile(t, 1.0 - 0.05 / 2.0 / kCases) * se;
      power += cdf(normal(), (std::log(kPlanted) - std::max(over_limit, told)) / u_sd);
    }
  }
  return power / (kQuantiles * kQuantiles);
}

/// Three standard deviations of a count of kTrials, and one trial for the grid of power_of: over 20000 trials
/// its figures are met within 0.6 %.
double spread_of(double power) {
  return 3.0 * std::sqrt(kTrials * power * (1.0 - power)) + 1.0;
}

TEST(GateSimulation, CatchesFivePercentUnderOnePercentOfNoise) {
  const Setting setting{.worse_by = 0.0};
  const double power = power_of(setting);
  std::printf("power %.5f spread %.2f\n", power, spread_of(power));
  EXPECT_NEAR(power, 0.993, 0.002);  // so 195 of 200 at least
  EXPECT_GE(run_trials(1, setting, kPlanted).caught, kTrials * power - spread_of(power));
}

TEST(GateSimulation, CatchesFivePercentByTheDefaultPolicyOnAQuietMachine) {
  const Setting setting{.launch_sd = 0.005};
  const double power = power_of(setting);
  std::printf("power %.5f spread %.2f\n", power, spread_of(power));
  EXPECT_NEAR(power, 0.9994, 0.0004);  // 198 of 200 at least
  const Counts counts = run_trials(2, setting, kPlanted);
  EXPECT_GE(counts.caught, kTrials * power - spread_of(power));
  EXPECT_EQ(counts.others, 0) << "and calls nothing else one";
}

TEST(GateSimulation, CatchesFivePercentByTheDefaultPolicyWithTwelveLaunches) {
  const Setting setting{.launches = 12};
  const double power = power_of(setting);
  std::printf("power %.5f spread %.2f\n", power, spread_of(power));
  EXPECT_NEAR(power, 0.994, 0.002);
  EXPECT_GE(run_trials(3, setting, kPlanted).caught, kTrials * power - spread_of(power));
}

TEST(GateSimulation, AgreesWithTheTDistributionWhereThePowerIsMiddling) {
  // Also what a user may expect of 5 launches and 1 %: 19 of 20 with a limit of 2 %, 3 of 4 with 3 %.
  for (const double worse_by : {0.01, 0.02, 0.03}) {
    const Setting setting{.worse_by = worse_by};
    const double power = power_of(setting);
  std::printf("power %.5f spread %.2f\n", power, spread_of(power));
    EXPECT_NEAR(run_trials(4, setting, kPlanted).caught, kTrials * power, spread_of(power)) << worse_by;
  }
}

TEST(GateSimulation, NeverFiresOnNothingByTheDefaultPolicy) {
  // The interval's lower end above 3 %, and p after Holm: by the same reckoning 3 in 10^10 cases at 1 %, 2 in
  // 10^5 at 2 % (one false alarm in 4000 tables of ten), and none to speak of at 0.5 %.
  EXPECT_EQ(run_trials(5, {}, 1.0).shut, 0);
  EXPECT_EQ(run_trials(6, {.launch_sd = 0.02}, 1.0).shut, 0) << "nor under twice the noise";
  EXPECT_EQ(run_trials(7, {.launch_sd = 0.005}, 1.0).shut, 0);
}

TEST(GateSimulation, WithNoLimitAtAllFiresAsOftenAsHolmAllows) {
  // worse_by 0 asks for p alone: in at most 2.5 % of tables (one of two sides of 5 %), 5 of 200, and 3
  // standard deviations of 2.2 more.
  EXPECT_LE(run_trials(8, {.worse_by = 0.0}, 1.0).shut, 11);
}

}  // namespace
}  // namespace bench::analysis
