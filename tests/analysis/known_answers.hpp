// SPDX-License-Identifier: Apache-2.0
// Series with published or independently computed statistics, and the comparison that judges against them.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace bench::analysis {

/// |actual - expected| <= tolerance * |expected|. 1e-12 leaves four digits for the rounding of two libraries.
inline void expect_close(double actual, double expected, double tolerance = 1e-12) {
  EXPECT_LE(std::abs(actual - expected), tolerance * std::abs(expected)) << actual << " is not " << expected;
}

/// The example of Go's benchstat: ns per operation of two programs before and after a change.
inline const std::vector<double> kJsonOld{1726, 1723, 1707, 1707, 1713, 1729, 1736, 1707, 1705, 1774};
inline const std::vector<double> kJsonNew{1423, 1416, 1411, 1413, 1412, 1426, 1422, 1424, 1447, 1425};
inline const std::vector<double> kGobOld{3069, 3075, 3069, 3067, 3207, 3064, 3064, 3058, 3059, 3062};
inline const std::vector<double> kGobNew{3075, 3065, 3059, 3065, 3060, 3081, 3186, 3135, 3087, 3062};

/// A dozen values with two clear outliers.
inline const std::vector<double> kSpiked{5.0, 5.1, 5.2, 5.0, 5.3, 5.1, 9.0, 5.2, 5.1, 4.9, 5.0, 6.0};

/// Three ways of being dependent or not: a trend, a slow wave without a trend, and alternating noise.
inline const std::vector<double> kRamp{10.0, 10.2, 10.4, 10.6, 10.8, 11.0,
                                       11.2, 11.4, 11.6, 11.8, 12.0, 12.2};
inline const std::vector<double> kWave{10, 10, 10, 11, 11, 12, 12, 12, 13, 13,
                                       12, 12, 11, 11, 10, 10, 9,  9,  10, 10};
inline const std::vector<double> kNoise{10, 12, 9,  11, 10, 13, 8,  11, 12, 10,
                                        9,  12, 11, 10, 13, 9,  10, 11, 12, 10};

/// NIST StRD NumAcc4: certified mean 10000000.2, sd 0.1, lag-1 autocorrelation -0.999.
inline std::vector<double> num_acc_4() {
  std::vector<double> values{10000000.2};
  for (int i = 0; i < 500; ++i) {
    values.push_back(10000000.1);
    values.push_back(10000000.3);
  }
  return values;
}

}  // namespace bench::analysis
