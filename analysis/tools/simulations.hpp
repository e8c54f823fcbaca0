// SPDX-License-Identifier: Apache-2.0
// The program bench_simulate: how often are intervals, verdicts and the gate right, on times whose truth is
// known because we drew them? Longer than a test may take; docs/statistics.md says what it printed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "analysis/text_table.hpp"
#include "src/core/rng.hpp"

namespace bench::analysis::tools {

/// One stream of random numbers, each drawn once. Streams of other seeds or names are independent of it.
class Noise {
 public:
  Noise(std::uint64_t seed, std::string_view name) : rng_(seed, name) {}
  double normal() { return rng_.normal(next_++); }  // N(0, 1)
  double exponential();                             // mean 1

 private:
  CounterRng rng_;
  std::uint64_t next_ = 0;
};

/// "95.30 +- 0.47": `count` of `of` in percent, with the binomial standard error; "-" of nothing.
std::string percent(std::int64_t count, std::int64_t of);

struct Study {
  std::int64_t trials = 0;  // series, tables or changes to a row of a table
  std::uint64_t seed = 0;
};

/// Whether the interval shown at the end of the stop rule holds the true median.
TextTable coverage_table(const Study& study);

/// How often two sides of the same program get a verdict of faster or slower, by our rule and by others'.
TextTable verdict_table(const Study& study);

/// How often the default gate sees a planted 5 %, and how often it fires on nothing.
TextTable gate_table(const Study& study);

}  // namespace bench::analysis::tools
