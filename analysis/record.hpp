// SPDX-License-Identifier: Apache-2.0
// What a run leaves behind, as plain data: the journal is a list of these, the HDF5 file is made from them.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "scaling/case.hpp"

namespace bench::analysis {

/// Who measures a limit together, and whose cases are held against it: so many ranks of so many threads each.
struct Width {
  std::int64_t ranks = 1, threads = 1;
  bool device = false;  // each rank with a device, whose rates these are; the threads then only feed it
  std::int64_t parts() const { return ranks * threads; }  // cores, or devices: what kTriadBytes are sizes of
  auto operator<=>(const Width&) const = default;
};

/// Rates that the program measured itself in the same run, of all threads of a width together (0: not measured).
struct Limits {
  double fp32_flops_per_s = 0.0;
  double bf16_flops_per_s = 0.0;  // dot-product instructions when the CPU has them, else the fp32 rate
  double fp16_flops_per_s = 0.0;  // of a device's tensor cores; 0 where fp16 is computed in fp32
  double fp64_flops_per_s = 0.0;
  double exps_per_s = 0.0;
  /// Traffic of a triad whose three arrays together take kTriadBytes[i] per thread: from a core's own cache out to memory.
  std::array<double, 6> triad_bytes_per_s{};
  /// Of reading an array of kTriadBytes[i] per thread and writing nothing.
  std::array<double, 6> read_bytes_per_s{};
  /// Of each rank, in a ring where all send to the next and receive from the one before at once.
  double link_latency_s = 0.0;    // seconds of an exchange of almost nothing
  double link_bytes_per_s = 0.0;  // sent, while as many come in; without the latency
};

/// What both can do at the same time. The link's rates are of each rank and no sums: they are a's.
inline Limits sum_of(Limits a, const Limits& b) {
  a.fp32_flops_per_s += b.fp32_flops_per_s;
  a.bf16_flops_per_s += b.bf16_flops_per_s;
  a.fp16_flops_per_s += b.fp16_flops_per_s;
  a.fp64_flops_per_s += b.fp64_flops_per_s;
  a.exps_per_s += b.exps_per_s;
  for (std::size_t i = 0; i < a.triad_bytes_per_s.size(); ++i) {
    a.triad_bytes_per_s[i] += b.triad_bytes_per_s[i];
    a.read_bytes_per_s[i] += b.read_bytes_per_s[i];
  }
  return a;
}

/// Rate by rate the higher one.
inline Limits better_of(Limits a, const Limits& b) {
  a.fp32_flops_per_s = std::max(a.fp32_flops_per_s, b.fp32_flops_per_s);
  a.bf16_flops_per_s = std::max(a.bf16_flops_per_s, b.bf16_flops_per_s);
  a.fp16_flops_per_s = std::max(a.fp16_flops_per_s, b.fp16_flops_per_s);
  a.fp64_flops_per_s = std::max(a.fp64_flops_per_s, b.fp64_flops_per_s);
  a.exps_per_s = std::max(a.exps_per_s, b.exps_per_s);
  a.link_bytes_per_s = std::max(a.link_bytes_per_s, b.link_bytes_per_s);
  if (a.link_latency_s <= 0.0 || (b.link_latency_s > 0.0 && b.link_latency_s < a.link_latency_s)) a.link_latency_s = b.link_latency_s;
  for (std::size_t i = 0; i < a.triad_bytes_per_s.size(); ++i) {
    a.triad_bytes_per_s[i] = std::max(a.triad_bytes_per_s[i], b.triad_bytes_per_s[i]);
    a.read_bytes_per_s[i] = std::max(a.read_bytes_per_s[i], b.read_bytes_per_s[i]);
  }
  return a;
}

inline constexpr std::array<std::int64_t, 6> kTriadBytes{256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20, 256 << 20};

/// Seconds that moving `bytes`, of which `written` are written, takes at least. A triad reads two bytes for one it writes; what a case
/// reads beyond that goes at the rate of reading alone, where that is the higher one. Rates are those of the largest working set that is not larger than a
/// core's, `working_set` bytes, so that the limit is not understated; infinite: memory's own. Infinity when no rate was measured.
inline double least_memory_time_s(const Limits& limits, double bytes, double written, double working_set) {
  std::size_t i = 0;
  while (i + 1 < kTriadBytes.size() && static_cast<double>(kTriadBytes[i + 1]) <= working_set) ++i;
  const double mixed = std::min(bytes, 3.0 * written);
  return mixed / limits.triad_bytes_per_s[i] + (bytes - mixed) / std::max(limits.read_bytes_per_s[i], limits.triad_bytes_per_s[i]);
}

/// One output's check against the fp64 oracle.
struct Check {
  std::string output;
  double error = 0.0;       // max|x - ref| / max|ref| over the checked elements
  double tolerance = 0.0;
};

/// What the machine said of itself, by the names of src/system/telemetry.hpp (cpu_mhz, steal_fraction, gpu_sm_mhz, ...); a figure that the
/// machine does not give is absent, never 0.
using Telemetry = std::map<std::string, double>;

struct TimedTelemetry {
  double time_s = 0.0;  // since the run's start, as VisitRecord::start_s
  Telemetry values;
};

/// One visit: all raw samples of one measurement of one case.
struct VisitRecord {
  std::string case_id;
  std::string run;                   // run_id of the run that made it, in a merged record (source_runs.hpp); empty: this run
  std::int64_t visit = 0;
  std::int64_t attempt = 1;
  Outcome outcome = Outcome::ok;
  std::string reason;                // in words when the outcome is not ok
  std::int64_t ranks = 1;
  std::int64_t block = 0;
  std::int64_t first_rank = 0;       // of the block, in node order
  std::int64_t session = 1;          // which start of the program measured it; a resumed run has several
  std::string placement = "packed";  // solo | packed | replicated: what was allowed to run beside it; audit: solo, for the co-run audit only
  std::vector<std::string> neighbours;  // ids of the cases that were running beside it when it started
  std::vector<double> rank_time_s;   // [n, ranks] row-major: each rank's time of each sample; empty unless ok
  std::vector<double> rank_start_s;  // [n, ranks] start after the sample's earliest one, on the common clock; empty for one rank
  std::vector<std::int64_t> flags;   // [n] bits of SampleFlag (sample_times.hpp)
  std::int64_t calls_per_sample = 1; // a sample is the mean of this many calls in a row
  std::int64_t warmup_calls = 0;
  std::string sync;                  // none | barrier | window: how the ranks were started together
  std::string cold_method;           // how the caches were emptied before each sample; empty: they were left warm
  double clock_bound_s = 0.0;        // the ranks' common clock is known to +- this
  double timer_floor_s = 0.0;        // what the clock measures when nothing is timed
  std::string stop_reason;           // converged | max_samples | budget | ...
  double tau = 1.0;                  // integrated autocorrelation time of the samples
  double start_s = 0.0;              // since the run's start
  double check_s = 0.0, warmup_s = 0.0, measure_s = 0.0;  // where the visit's time went
  double decide_s = 0.0;             // of measure_s, what the stop rule and its statistics took
  std::vector<Check> checks;
  std::vector<Figure> figures;       // of the answer itself (Op::figures); most ops have none
  std::int64_t rows_checked = 0;     // sequence positions compared with the oracle
  std::int64_t peak_memory_bytes = 0;    // resident high-water of the fullest rank; 0: unavailable
  std::int64_t device_peak_bytes = 0;    // of the rank with most: high-water of what the program itself allocated on its device; 0: no device
  std::int64_t device_free_bytes = 0, device_total_bytes = 0;  // of the device with least free, when the calls had been made; 0: no device
  double enqueue_s = 0.0;                // host time to queue one call on a device, median over the samples of the slowest rank; 0: no device
  std::int64_t graph_nodes = 0;          // operations in the captured call that was replayed; 0: calls were made one by one
  std::int64_t wire_bytes = 0;           // sent by the busiest rank in one call
  bool ended_process = false;            // it hung, or broke its device's context: the process it ran in could not go on
  bool oversubscribed = false;           // more ranks than cores: no efficiency is taken from it
  bool functional_only = false;          // ranks shared a device: checked and, since they would time each other, not timed; ok without samples
  Telemetry before, after;               // of the block's first rank, at the ends of the measurement
};

/// A whole run. `provenance_json` is one JSON object in text.
struct RunRecord {
  std::string run_id;          // 32 hex
  std::string created_utc;     // ISO 8601
  std::string study;
  std::string plan_sha256;
  std::string provenance_json;
  std::string env_id;          // 32 hex over what of the provenance a time depends on: build, libraries, machine
  double confidence = 0.95;
  std::string policy;          // YAML of the validation criteria (docs/gate.md); empty: none
  std::map<Width, Limits> limits;
  std::vector<scaling::Case> cases;
  std::vector<VisitRecord> visits;
  std::vector<TimedTelemetry> telemetry;      // between the visits' ends, when it was asked for; of rank 0's node
  std::string journal_bytes;   // the journal itself, kept in the store with its hash
};

}  // namespace bench::analysis
