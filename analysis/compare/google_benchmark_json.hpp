// SPDX-License-Identifier: Apache-2.0
// Google Benchmark's --benchmark_out: {"context": {...}, "benchmarks": [rows]}.
#pragma once

#include <nlohmann/json.hpp>

#include "analysis/compare/side.hpp"

namespace bench::analysis {

bool is_google_benchmark(const nlohmann::json& document);

/// One file is one process, so one launch; every repetition is a visit of it. Rows of aggregates count only
/// where their repetitions were not written (--benchmark_report_aggregates_only): then the median, else the
/// mean, is the one visit. Big-O and RMS rows are passed over. The time is `real_time`, which holds the time
/// given by hand for names that end in /manual_time (seen in the output of 1.7.1); CPU time is never read.
/// The key is the benchmark's name without the aggregate's. Rows with error_occurred are crashed, those with
/// `skipped` are so. Of `context`, what tells machines and builds apart is kept; host name, date, program
/// path and load are not. Error(io) that names row and field for what is not of this form or has no row with
/// a time.
Side google_benchmark_side(const nlohmann::json& document);

}  // namespace bench::analysis
