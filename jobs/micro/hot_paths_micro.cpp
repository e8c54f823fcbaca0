// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>

#include "analysis/columns.hpp"
#include "analysis/results.hpp"
#include "analysis/statistics/summary.hpp"
#include "analysis/store.hpp"
#include "jobs/clock.hpp"
#include "jobs/journal.hpp"
#include "jobs/micro/micro.hpp"
#include "jobs/micro/synthetic_cases.hpp"

namespace bench::jobs::micro {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kManyCases = 10'000;  // a long campaign's file
constexpr std::int64_t kSamples = 32;        // a visit's, when it converges at the first look
constexpr std::int64_t kMostSamples = 1024;  // a visit's, at most
constexpr std::int64_t kTenMillion = 10'000'000;

/// A folder below the system's place for temporary files (TMPDIR), gone at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "bench_micro_XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr)
      throw Error(ErrorKind::io, concat("cannot create the folder ", pattern, "; set TMPDIR"));
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  fs::path operator/(const char* name) const { return path_ / name; }

 private:
  fs::path path_;
};

/// Times `step` alone; `between` runs untimed before each.
void time_step(
    benchmark::State& state, const std::function<void()>& step,
    const std::function<void()>& between = [] {}) {
  const Clock clock = steady_clock();
  try {
    for ([[maybe_unused]] const auto _ : state) {
      between();
      const double begin = clock();
      step();
      state.SetIterationTime(clock() - begin);
    }
  } catch (const std::exception& error) {
    state.SkipWithError(error.what());
  }
}

/// One visit's record, as rank 0 appends it after every visit.
void journal_append(benchmark::State& state, bool durable) {
  const TemporaryFolder folder;
  const nlohmann::json record = visit_record(synthetic_cases(1, kSamples).visits.front());
  const auto record_bytes = static_cast<std::int64_t>(record.dump().size());
  constexpr std::int64_t kLargest =
      16 << 20;  // start a new file past this, so that a long run does not fill the disk
  std::optional<Journal> journal;
  std::int64_t bytes = kLargest;
  const auto renew = [&] {
    bytes += record_bytes;
    if (bytes < kLargest) return;
    journal.reset();
    fs::remove(folder / "journal.jsonl");
    journal.emplace(folder / "journal.jsonl");
    bytes = 0;
  };
  time_step(
      state, [&] { journal->append(record, durable); }, renew);
  state.counters["record_bytes"] = static_cast<double>(record_bytes);
}

void summarise_samples(benchmark::State& state) {
  const auto samples = synthetic_times(1, kMostSamples);
  time_step(state, [&] { benchmark::DoNotOptimize(analysis::summarise(samples)); });
}

const analysis::RunRecord& many_cases() {
  static const analysis::RunRecord run = synthetic_cases(kManyCases, kSamples);
  return run;
}

void results_of_many(benchmark::State& state) {
  const analysis::RunRecord& run = many_cases();
  time_step(state, [&] { benchmark::DoNotOptimize(analysis::make_results(run)); });
}

/// Every figure of ten million samples, as one series: of a sampler, or of a foreign file.
void statistics_of_one_series(benchmark::State& state) {
  const auto samples = synthetic_times(1, kTenMillion);
  time_step(state, [&] { benchmark::DoNotOptimize(analysis::summarise(samples)); });
}

/// The same of as many samples in the longest visits that there are, one to a case: what a store's /cases,
/// /scaling and /visits are made of.
void statistics_of_many_visits(benchmark::State& state) {
  const analysis::RunRecord run = synthetic_cases(kTenMillion / kMostSamples, kMostSamples);
  time_step(state, [&] {
    benchmark::DoNotOptimize(analysis::make_results(run));
    benchmark::DoNotOptimize(analysis::visit_columns(run));
  });
}

void store_of_many(benchmark::State& state) {
  const TemporaryFolder folder;
  const analysis::RunRecord& run = many_cases();
  const fs::path file = folder / "results.h5";
  time_step(state, [&] { analysis::write_store(run, file); });
  std::error_code absent;
  if (const auto bytes = fs::file_size(file, absent); !absent)
    state.counters["file_bytes"] = static_cast<double>(bytes);
}

}  // namespace

void register_hot_paths() {
  const auto add = [](const char* name, auto function, benchmark::TimeUnit unit) {
    return benchmark::RegisterBenchmark(name, function)->UseManualTime()->Unit(unit);
  };
  add(
      "harness/journal_append/buffered", [](benchmark::State& state) { journal_append(state, false); },
      benchmark::kMicrosecond);
  add(
      "harness/journal_append/durable", [](benchmark::State& state) { journal_append(state, true); },
      benchmark::kMicrosecond);
  add("harness/summarise/samples:1024", summarise_samples, benchmark::kMicrosecond);
  add("harness/make_results/cases:10000", results_of_many, benchmark::kMillisecond);
  add("harness/write_store/cases:10000", store_of_many, benchmark::kMillisecond);
  // Seconds each, so once: more would say no more.
  add("harness/statistics/series:10000000", statistics_of_one_series, benchmark::kMillisecond)->Iterations(1);
  add("harness/statistics/visits:9765", statistics_of_many_visits, benchmark::kMillisecond)->Iterations(1);
}

}  // namespace bench::jobs::micro
