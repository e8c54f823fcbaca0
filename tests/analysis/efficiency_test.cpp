// SPDX-License-Identifier: Apache-2.0
#include "analysis/efficiency.hpp"

#include <array>
#include <cmath>

#include "tests/analysis/known_answers.hpp"

namespace bench::analysis {
namespace {

ScalingPoint point(std::int64_t ranks, double time_s, double work = 1.0) {
  return {.ranks = ranks, .work = work, .time_s = {time_s, std::nullopt}};
}

double amdahl(std::int64_t p) {
  return 100.0 * (0.05 + 0.95 / static_cast<double>(p));
}

constexpr std::array<std::int64_t, 7> kRanks{1, 2, 4, 8, 16, 32, 64};  // doublings: the shape of most studies

TEST(Efficiency, OfAmdahlsLawIsTheKnownTable) {
  const std::array<double, 7> known{1,        0.952381, 0.869565, 0.740741,
                                    0.571429, 0.392157, 0.240964};  // six digits
  for (std::size_t i = 0; i < kRanks.size(); ++i) {
    const ScalingFigures f = scaling_figures(point(1, amdahl(1)), point(kRanks[i], amdahl(kRanks[i])), 0.95);
    EXPECT_NEAR(f.efficiency.value, known[i], 5e-7) << kRanks[i] << " ranks";
    EXPECT_FALSE(f.efficiency.interval) << "times without intervals give none";
    ASSERT_EQ(f.karp_flatt.has_value(), kRanks[i] > 1);
    if (!f.karp_flatt) continue;
    expect_close(f.karp_flatt->value, 0.05);
    expect_close(f.serial_fraction.value(), 0.05);
  }
}

TEST(Efficiency, RelativeToFourRanksFindsTheSameSerialFraction) {
  const std::array<double, 5> known{1, 1.703704, 2.628571, 3.607843, 4.433735};
  for (std::size_t i = 0; i < known.size(); ++i) {
    const std::int64_t p = kRanks[i + 2];
    const ScalingFigures f = scaling_figures(point(4, amdahl(4)), point(p, amdahl(p)), 0.95);
    EXPECT_NEAR(f.speedup.value, known[i], 5e-7) << p << " ranks";
    expect_close(f.efficiency.value, f.speedup.value * 4.0 / static_cast<double>(p));
    if (p == 4) continue;
    EXPECT_NEAR(f.karp_flatt.value().value, 0.173913, 5e-7);
    expect_close(f.serial_fraction.value(), 0.05);
  }
}

TEST(Efficiency, KarpFlattRisesWhenTheLossIsOverhead) {
  const std::array<double, 6> known{0.03, 0.033333, 0.037143, 0.041333, 0.045806, 0.050476};
  for (std::size_t i = 0; i < known.size(); ++i) {
    const auto p = static_cast<double>(kRanks[i + 1]);
    const double time_s = 2.0 + 98.0 / p + 0.5 * std::log2(p);
    EXPECT_NEAR(karp_flatt(100.0 / time_s, p).value(), known[i], 5e-7) << p << " ranks";
  }
}

TEST(Efficiency, IsNormalisedByTheWorkDone) {
  // Attention whose sequence grows from 8k to 32k with 4 ranks does 16 times the work: 10 ms -> 42 ms is good
  // scaling.
  const ScalingFigures f = scaling_figures(point(1, 10e-3, 1.0), point(4, 42e-3, 16.0), 0.95);
  EXPECT_NEAR(f.time_ratio.value, 0.238, 5e-4);
  expect_close(f.efficiency.value, 16.0 * 10.0 / (4.0 * 42.0));
  EXPECT_NEAR(f.efficiency.value, 0.952, 5e-4);
  expect_close(f.speedup.value, f.efficiency.value * 4.0);
  EXPECT_FALSE(f.karp_flatt) << "a serial fraction needs a problem of fixed size";
}

TEST(Efficiency, OfWorkThatGrowsWithTheRanksIsTheTimeRatio) {
  expect_close(scaling_figures(point(2, 1.0, 2.0), point(8, 1.25, 8.0), 0.95).efficiency.value, 0.8);
}

TEST(Efficiency, FromTwoMediansHasTheKnownInterval) {
  const ScalingPoint base{.ranks = 1, .work = 1.0, .time_s = {8.00, Interval{7.92, 8.10, 0.975}}};
  const ScalingPoint four{.ranks = 4, .work = 1.0, .time_s = {2.20, Interval{2.17, 2.24, 0.975}}};
  const ScalingFigures f = scaling_figures(base, four, 0.95);
  expect_close(f.efficiency.value, 0.9090909090909091);
  ASSERT_TRUE(f.efficiency.interval);
  expect_close(f.efficiency.interval->lo, 0.8839285714285713);
  expect_close(f.efficiency.interval->hi, 0.9331797235023042);
  expect_close(f.efficiency.interval->confidence, 0.95);
  expect_close(f.speedup.interval->lo, 4.0 * 0.8839285714285713);
  ASSERT_TRUE(f.karp_flatt && f.karp_flatt->interval);
  EXPECT_LT(f.karp_flatt->interval->lo, f.karp_flatt->value);
  EXPECT_GT(f.karp_flatt->interval->hi, f.karp_flatt->value);
  expect_close(f.karp_flatt->interval->lo, karp_flatt(f.speedup.interval->hi, 4.0).value());
}

TEST(Efficiency, FromVisitsUsesWelchOnLogarithms) {
  const std::vector<double> base_s{100, 102, 98, 101, 99}, eight_s{16.8, 17.1, 16.6, 16.9, 17.0};
  const ScalingPoint base{.ranks = 1, .work = 1.0, .time_s = {}, .visits_s = base_s};
  const ScalingPoint eight{.ranks = 8, .work = 1.0, .time_s = {}, .visits_s = eight_s};
  const Estimate welch = welch_ratio(log_side(base_s), log_side(eight_s), 0.95).estimate;
  const ScalingFigures f = scaling_figures(base, eight, 0.95);
  ASSERT_TRUE(f.efficiency.interval);
  expect_close(f.efficiency.value, welch.value / 8.0);
  expect_close(f.efficiency.interval->lo, welch.interval->lo / 8.0);
  expect_close(f.efficiency.interval->hi, welch.interval->hi / 8.0);
}

TEST(Efficiency, FromSummaryFiguresIsTheKnownOne) {
  const Estimate r =
      welch_ratio({std::log(100.0), 0.02, 10}, {std::log(16.875), 0.5 / 16.875, 10}, 0.95).estimate;
  const Estimate e = efficiency(point(1, 100.0), point(8, 16.875), r);
  EXPECT_NEAR(e.value, 0.740741, 5e-7);
  ASSERT_TRUE(e.interval);
  EXPECT_NEAR(e.interval->lo, 0.723182, 5e-7);
  EXPECT_NEAR(e.interval->hi, 0.758726, 5e-7);
}

TEST(Efficiency, IsCalledSuperlinearOnlyWhenTheWholeIntervalIs) {
  const ScalingPoint base{.ranks = 1, .work = 1.0, .time_s = {8.0, Interval{7.9, 8.1, 0.975}}};
  const ScalingPoint sure{.ranks = 2, .work = 1.0, .time_s = {3.5, Interval{3.4, 3.6, 0.975}}};
  const ScalingPoint maybe{.ranks = 2, .work = 1.0, .time_s = {3.9, Interval{3.8, 4.0, 0.975}}};
  EXPECT_TRUE(scaling_figures(base, sure, 0.95).superlinear);
  EXPECT_FALSE(scaling_figures(base, maybe, 0.95).superlinear);
  EXPECT_GT(scaling_figures(base, maybe, 0.95).efficiency.value, 1.0);
  EXPECT_FALSE(scaling_figures(point(1, 8.0), point(2, 3.0), 0.95).superlinear)
      << "without an interval nobody knows";
}

TEST(Efficiency, ASlowDownHasNoSerialFraction) {
  const ScalingFigures f = scaling_figures(point(1, 10.0), point(2, 12.0), 0.95);
  EXPECT_GT(f.karp_flatt.value().value, 1.0);
  EXPECT_FALSE(f.serial_fraction);
  EXPECT_FALSE(serial_fraction(4.0 / 3.0, 4)) << "where the formula has its pole";
}

TEST(Efficiency, GustafsonsScaledSpeedupIsTheKnownRow) {
  const std::array<double, 7> known{1, 1.95, 3.85, 7.65, 15.25, 30.45, 60.85};
  for (std::size_t i = 0; i < kRanks.size(); ++i) expect_close(gustafson(0.05, kRanks[i]), known[i]);
}

}  // namespace
}  // namespace bench::analysis
