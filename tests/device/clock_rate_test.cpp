// SPDX-License-Identifier: Apache-2.0
#include "src/device/clock_rate.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>

namespace bench::device {
namespace {

constexpr std::uint64_t kStep_ns = 1000;     // as coarse as %globaltimer gets
constexpr std::uint64_t kLong_ns = 200'000;  // 200 steps, twice what is asked for

/// The readings of an SM that runs at `mhz`, `ns` after `from`.
Stamp later(const Stamp& from, double mhz, std::uint64_t ns) {
  return {from.cycles + static_cast<std::uint64_t>(1e-3 * mhz * static_cast<double>(ns)), from.ns + ns};
}

TEST(ClockRate, IsCyclesOverTime) {
  const std::array<Stamp, 1> begin{{{5'000, 7'000}}};
  const std::array<Stamp, 1> end{later(begin[0], 1755.0, kLong_ns)};
  EXPECT_DOUBLE_EQ(clock_mhz(begin, end, kStep_ns), 1755.0);
}

TEST(ClockRate, ComparesAnSmWithItselfOnly) {
  // Counters of two SMs share no origin: taken across, these would give a rate 50 times too high, and one
  // below 0.
  const std::array<Stamp, 2> begin{{{10'000'000, 7'000}, {5'000, 7'000}}};
  const std::array<Stamp, 2> end{later(begin[0], 1980.0, kLong_ns), later(begin[1], 1980.0, kLong_ns)};
  EXPECT_DOUBLE_EQ(clock_mhz(begin, end, kStep_ns), 1980.0);
}

TEST(ClockRate, LeavesOutWhatWasNotReadTwice) {
  const std::array<Stamp, 3> begin{{{1'000, 7'000}, {}, {2'000, 7'000}}};
  std::array<Stamp, 3> end{later(begin[0], 1500.0, kLong_ns), Stamp{900'000, kLong_ns}, Stamp{}};
  EXPECT_DOUBLE_EQ(clock_mhz(begin, end, kStep_ns), 1500.0);
  end[0] = {};
  EXPECT_TRUE(std::isnan(clock_mhz(begin, end, kStep_ns))) << "no SM is left";
}

TEST(ClockRate, IsTheMedianOfTheSms) {
  const Stamp origin{1'000, 7'000};
  const std::array<Stamp, 3> begin{origin, origin, origin};
  const std::array<Stamp, 3> end{later(origin, 1400.0, kLong_ns), later(origin, 9000.0, kLong_ns),
                                 later(origin, 1410.0, kLong_ns)};
  EXPECT_DOUBLE_EQ(clock_mhz(begin, end, kStep_ns), 1410.0);
}

TEST(ClockRate, IsUnknownOverTooFewSteps) {
  const std::array<Stamp, 1> begin{{{5'000, 7'000}}};
  const std::uint64_t enough_ns = kStepsToTrust * kStep_ns;
  EXPECT_FALSE(std::isnan(clock_mhz(begin, std::array{later(begin[0], 1755.0, enough_ns)}, kStep_ns)));
  EXPECT_TRUE(std::isnan(clock_mhz(begin, std::array{later(begin[0], 1755.0, enough_ns - 1)}, kStep_ns)));
}

TEST(ClockRate, OfClocksThatStandOrGoBackIsUnknown) {
  const std::array<Stamp, 1> begin{{{5'000, 700'000}}};
  EXPECT_TRUE(std::isnan(clock_mhz(begin, begin, 0))) << "even where the step is not known";
  EXPECT_TRUE(std::isnan(clock_mhz(begin, std::array{Stamp{4'000, 900'000}}, kStep_ns)));
  EXPECT_TRUE(std::isnan(clock_mhz({}, {}, kStep_ns)));
}

}  // namespace
}  // namespace bench::device
