// SPDX-License-Identifier: Apache-2.0
// One side of a comparison: what one or more launches (process starts) of one program measured, case by case. Times in seconds.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "src/core/outcome.hpp"

namespace bench::analysis {

/// One case as one side saw it. Figures over launches are what verdicts rest on: samples inside a launch share its memory placement, its
/// clocks and its neighbours, so they are not independent of each other.
struct Measured {
  std::string name;                  // for people: the kernel and the parameters that tell it from others
  Outcome outcome = Outcome::ok;     // of the worst launch
  std::string reason;
  std::string dtype;                 // fp32, bf16, ...: accuracy is judged by it; empty: unknown
  std::vector<double> launches_s;    // one time a launch: the geometric mean of its visits' medians
  std::vector<double> visits_s;      // the median of every visit of every launch
  std::int64_t samples = 0;          // timed samples behind them
  double error = 0.0;                // largest deviation from the oracle, relative to max|oracle|
  double tolerance = 0.0;            // 0: no accuracy is known, as in files of other tools
  std::int64_t peak_memory_bytes = 0;  // 0: unavailable
  std::map<std::string, double> metrics;  // other figures a policy may name: perplexity, steps_to_target, gradient_norm_max, ...
};

struct Side {
  std::string label;                          // the path it was read from
  std::map<std::string, Measured> cases;      // by key: our case id, or another tool's name of the benchmark
  std::map<std::string, std::string> environment;  // compared between sides: cpu, gpu, driver, mpi, compiler, ...; empty where unknown
  std::int64_t launches = 0;
};

}  // namespace bench::analysis
