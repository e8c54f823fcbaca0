// SPDX-License-Identifier: Apache-2.0
// Everything known of a visit besides its samples: how it was measured, how it ended, every estimator, the machine's state at its ends.
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <set>

#include "analysis/columns.hpp"
#include "analysis/sample_times.hpp"
#include "analysis/statistics/summary.hpp"

namespace bench::analysis {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// A visit of a case of the run, with its figures worked out once.
struct Row {
  const VisitRecord* visit;
  std::int64_t case_index;
  Summary summary;  // of the valid samples; invalid when there are none
};

std::vector<Row> rows_of(const RunRecord& run) {
  std::map<std::string, std::int64_t> index;
  for (std::size_t i = 0; i < run.cases.size(); ++i) index[run.cases[i].id] = static_cast<std::int64_t>(i);
  std::vector<Row> rows;
  for (const VisitRecord& visit : run.visits)
    if (const auto it = index.find(visit.case_id); it != index.end()) rows.push_back({&visit, it->second, summarise(valid_times(visit), run.confidence)});
  return rows;
}

class Builder {
 public:
  explicit Builder(const std::vector<Row>& rows) : rows_(rows) {}
  template <class Get>
  void add(const std::string& name, const char* unit, const std::string& long_name, Get&& get) {
    using T = std::decay_t<decltype(get(rows_.front()))>;
    std::vector<T> values;
    for (const Row& row : rows_) values.push_back(get(row));
    columns_.push_back({name, unit, long_name, std::move(values)});
  }
  void add(Column column) { columns_.push_back(std::move(column)); }
  std::vector<Column> take() { return std::move(columns_); }

 private:
  const std::vector<Row>& rows_;
  std::vector<Column> columns_;
};

const char* unit_of(const std::string& figure) {
  if (figure.ends_with("_mhz")) return "MHz";
  if (figure.ends_with("_c")) return "degC";
  if (figure.ends_with("_w")) return "W";
  if (figure.ends_with("_bytes")) return "byte";
  return figure.ends_with("_s") ? "s" : "1";
}

void add_protocol(Builder& to, const std::vector<Row>& rows) {
  to.add("row", "1", "row number", [&](const Row& r) { return static_cast<std::int64_t>(&r - rows.data()); });
  to.add("case_index", "1", "row of /cases", [](const Row& r) { return r.case_index; });
  to.add("visit", "1", "visit of the case", [](const Row& r) { return r.visit->visit; });
  to.add("run", "", "run_id of the run that made it, in a merged file; empty: this run", [](const Row& r) { return r.visit->run; });
  to.add("attempt", "1", "attempt at the visit", [](const Row& r) { return r.visit->attempt; });
  Flags outcomes{{}, {kOutcomeNames.begin(), kOutcomeNames.end()}};
  for (const Row& row : rows) outcomes.values.push_back(static_cast<std::uint8_t>(row.visit->outcome));
  to.add({"status", "", "outcome of the visit", std::move(outcomes)});
  to.add("reason", "", "why the outcome is not ok", [](const Row& r) { return r.visit->reason; });
  to.add("ranks", "1", "ranks that took part", [](const Row& r) { return r.visit->ranks; });
  to.add("block", "1", "block of ranks", [](const Row& r) { return r.visit->block; });
  to.add("first_rank", "1", "first rank of the block, in node order", [](const Row& r) { return r.visit->first_rank; });
  to.add("session", "1", "start of the program that measured it; a resumed run has several", [](const Row& r) { return r.visit->session; });
  to.add("placement", "", "what was allowed to run beside it: solo, packed or replicated; audit: solo, for the co-run audit", [](const Row& r) { return r.visit->placement; });
  to.add("neighbours", "", "cases that were running beside it when it started: first 12 digits of their ids", [](const Row& r) {
    std::string list;
    for (const std::string& id : r.visit->neighbours) list += (list.empty() ? "" : " ") + id.substr(0, 12);
    return list;
  });
  to.add("start", "s", "start since the run's", [](const Row& r) { return r.visit->start_s; });
  to.add("check_time", "s", "spent on set-up and the check against the oracle", [](const Row& r) { return r.visit->check_s; });
  to.add("warmup_time", "s", "spent on the warm-up", [](const Row& r) { return r.visit->warmup_s; });
  to.add("measure_time", "s", "spent on the samples", [](const Row& r) { return r.visit->measure_s; });
  to.add("decide_time", "s", "of measure_time, spent on the stop rule and its statistics", [](const Row& r) { return r.visit->decide_s; });
  to.add("warmup_calls", "1", "untimed calls", [](const Row& r) { return r.visit->warmup_calls; });
  to.add("calls", "1", "calls that a sample is the mean of", [](const Row& r) { return r.visit->calls_per_sample; });
  to.add("sync", "", "how the ranks were started together: none, barrier or window", [](const Row& r) { return r.visit->sync; });
  to.add("cold_method", "", "how the caches were emptied before a sample; empty: left warm", [](const Row& r) { return r.visit->cold_method; });
  to.add("clock_bound", "s", "the ranks' common clock is known to +- this", [](const Row& r) { return r.visit->clock_bound_s; });
  to.add("timer_floor", "s", "what the clock measures when nothing is timed", [](const Row& r) { return r.visit->timer_floor_s; });
  to.add("stop_reason", "", "why sampling stopped", [](const Row& r) { return r.visit->stop_reason; });
  to.add("rows_checked", "1", "sequence positions compared with the oracle", [](const Row& r) { return r.visit->rows_checked; });
  to.add("peak_memory", "byte", "resident high-water of the fullest rank; 0: unavailable", [](const Row& r) { return r.visit->peak_memory_bytes; });
  to.add("device_peak_memory", "byte", "high-water of what the program allocated on the device of the rank with most; 0: no device", [](const Row& r) { return r.visit->device_peak_bytes; });
  to.add("device_free_memory", "byte", "free on the fullest device when the calls had been made; 0: no device", [](const Row& r) { return r.visit->device_free_bytes; });
  to.add("device_memory", "byte", "of that device; 0: no device", [](const Row& r) { return r.visit->device_total_bytes; });
  to.add("enqueue", "s", "host time to queue one call on a device, median over samples of the slowest rank; 0: no device", [](const Row& r) { return r.visit->enqueue_s; });
  to.add("graph_nodes", "1", "operations in the captured call that was replayed; 0: calls were made one by one", [](const Row& r) { return r.visit->graph_nodes; });
  to.add("wire_bytes", "byte", "bytes sent by the busiest rank in one call", [](const Row& r) { return r.visit->wire_bytes; });
  to.add("ended_process", "1", "1: it hung or broke its device's context, and the process ended with it", [](const Row& r) { return static_cast<std::int64_t>(r.visit->ended_process); });
  to.add("functional_only", "1", "1: ranks shared a device; checked and not timed", [](const Row& r) { return static_cast<std::int64_t>(r.visit->functional_only); });
  to.add("oversubscribed", "1", "1: ranks shared cores", [](const Row& r) { return static_cast<std::int64_t>(r.visit->oversubscribed); });
}

void add_interval(Builder& to, const std::string& name, const std::string& of, const std::function<std::optional<Interval>(const Summary&)>& get) {
  to.add(name + "_lo", "s", "lower end of the interval of " + of, [&](const Row& r) { const auto i = get(r.summary); return i ? i->lo : kNone; });
  to.add(name + "_hi", "s", "upper end of the interval of " + of, [&](const Row& r) { const auto i = get(r.summary); return i ? i->hi : kNone; });
}

void add_estimators(Builder& to) {
  to.add("n", "1", "samples taken", [](const Row& r) { return static_cast<std::int64_t>(sample_times(*r.visit).size()); });
  to.add("n_valid", "1", "samples that count: not warm-up, late or throttled", [](const Row& r) { return r.summary.n_valid; });
  const auto figure = [&](const char* name, const char* unit, const char* meaning, double Summary::*field) {
    to.add(name, unit, meaning, [field](const Row& r) { return r.summary.*field; });
  };
  figure("min", "s", "smallest sample", &Summary::min);
  figure("max", "s", "largest sample", &Summary::max);
  figure("mean", "s", "mean of the samples", &Summary::mean);
  figure("sd", "s", "standard deviation, n - 1", &Summary::sd);
  figure("cv", "1", "sd / mean", &Summary::cv);
  figure("median", "s", "median of the samples", &Summary::median);
  figure("madn", "s", "1.4826 times the median absolute deviation", &Summary::madn);
  figure("q05", "s", "5 % quantile", &Summary::q05);
  figure("q25", "s", "25 % quantile", &Summary::q25);
  figure("q75", "s", "75 % quantile", &Summary::q75);
  figure("q90", "s", "90 % quantile", &Summary::q90);
  figure("q95", "s", "95 % quantile", &Summary::q95);
  figure("q99", "s", "99 % quantile", &Summary::q99);
  add_interval(to, "median", "the median", [](const Summary& s) { return s.median_interval; });
  add_interval(to, "mean", "the mean", [](const Summary& s) { return s.mean_interval; });
  add_interval(to, "q90", "the 90 % quantile", [](const Summary& s) { return s.q90_interval; });
  add_interval(to, "q95", "the 95 % quantile", [](const Summary& s) { return s.q95_interval; });
  add_interval(to, "q99", "the 99 % quantile", [](const Summary& s) { return s.q99_interval; });
  to.add("mean_interval_valid", "1", "1: normal by Shapiro-Wilk, or worth 100 independent samples", [](const Row& r) { return static_cast<std::int64_t>(r.summary.mean_interval_is_valid); });
  to.add("outliers_mild", "1", "beyond 1.5 interquartile ranges", [](const Row& r) { return r.summary.outliers.low_mild + r.summary.outliers.high_mild; });
  to.add("outliers_severe", "1", "beyond 3 interquartile ranges", [](const Row& r) { return r.summary.outliers.low_severe + r.summary.outliers.high_severe; });
  figure("lag1", "1", "autocorrelation at lag 1", &Summary::lag1);
  figure("tau", "1", "integrated autocorrelation time in samples", &Summary::tau);
  const auto p = [&](const char* name, const char* meaning, auto get) {
    to.add(name, "1", meaning, [get](const Row& r) { return r.summary.invalid ? kNone : get(r.summary); });
  };
  p("ljung_box_p", "p of independence", [](const Summary& s) { return s.ljung_box.p; });
  p("trend_p", "p of no trend, Mann-Kendall", [](const Summary& s) { return s.trend.p; });
  figure("slope", "s", "Theil-Sen slope per sample", &Summary::slope);
  p("runs_p", "p of random order, runs about the median", [](const Summary& s) { return s.runs.p; });
  p("change_p", "p of no change of level, Pettitt", [](const Summary& s) { return s.change.p; });
  p("normal_p", "p of a normal distribution, Shapiro-Wilk", [](const Summary& s) { return s.normality ? s.normality->p : kNone; });
}

/// A column per figure that any visit has, at either end of its measurement.
void add_telemetry(Builder& to, const std::vector<Row>& rows) {
  std::set<std::string> names;
  for (const Row& row : rows)
    for (const Telemetry* state : {&row.visit->before, &row.visit->after})
      for (const auto& [name, value] : *state) names.insert(name);
  for (const std::string& name : names) {
    const auto at = [&](const Telemetry& state) {
      const auto it = state.find(name);
      return it != state.end() ? it->second : kNone;
    };
    to.add(name + "_before", unit_of(name), "telemetry before the samples", [&](const Row& r) { return at(r.visit->before); });
    to.add(name + "_after", unit_of(name), "telemetry after the samples", [&](const Row& r) { return at(r.visit->after); });
  }
}

}  // namespace

std::vector<Column> telemetry_columns(const RunRecord& run) {
  std::vector<std::int64_t> row;
  std::vector<double> time;
  std::map<std::string, std::vector<double>> figures;
  for (const TimedTelemetry& reading : run.telemetry)
    for (const auto& [name, value] : reading.values) figures.emplace(name, std::vector<double>(run.telemetry.size(), kNone));
  for (std::size_t i = 0; i < run.telemetry.size(); ++i) {
    row.push_back(static_cast<std::int64_t>(i));
    time.push_back(run.telemetry[i].time_s);
    for (const auto& [name, value] : run.telemetry[i].values) figures[name][i] = value;
  }
  std::vector<Column> columns{{"row", "1", "row number", std::move(row)}, {"time", "s", "since the run's start", std::move(time)}};
  for (auto& [name, values] : figures) columns.push_back({name, unit_of(name), "of rank 0's node; NaN: unavailable", std::move(values)});
  return columns;
}

std::vector<Column> visit_columns(const RunRecord& run) {
  const std::vector<Row> rows = rows_of(run);
  Builder builder(rows);
  add_protocol(builder, rows);
  add_estimators(builder);
  add_telemetry(builder, rows);
  return builder.take();
}

}  // namespace bench::analysis
