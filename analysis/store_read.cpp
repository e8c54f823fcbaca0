// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "analysis/columns.hpp"
#include "analysis/h5.hpp"
#include "analysis/store.hpp"

namespace bench::analysis {
namespace {

/// Columns of one group, all of the same length.
class Rows {
 public:
  Rows(hid_t file, const std::string& name, const std::string& key) : name_(name), group_(h5::open_group(file, name)), count_(rows(key)) {}
  std::size_t count() const { return count_; }
  hid_t group() const { return group_; }
  bool has(const std::string& column) const { return std::ranges::count(h5::names(group_), column) > 0; }
  std::vector<double> doubles(const std::string& column) const { return whole(column, h5::read_doubles(group_, column)); }
  std::vector<std::int64_t> ints(const std::string& column) const { return whole(column, h5::read_ints(group_, column)); }
  std::vector<std::string> texts(const std::string& column) const { return whole(column, h5::read_strings(group_, column)); }

 private:
  std::size_t rows(const std::string& key) const {
    const h5::Handle dataset(BS_H5(H5Dopen2(group_, key.c_str(), H5P_DEFAULT)), H5Dclose);
    const h5::Handle space(BS_H5(H5Dget_space(dataset)), H5Sclose);
    return static_cast<std::size_t>(BS_H5(H5Sget_simple_extent_npoints(space)));
  }
  template <class Values>
  Values whole(const std::string& column, Values values) const {
    if (values.size() != count_) throw Error(ErrorKind::io, concat("/", name_, "/", column, " has ", values.size(), " rows, not ", count_));
    return values;
  }
  std::string name_;
  h5::Handle group_;
  std::size_t count_;
};

void read_params(std::vector<scaling::Case>& cases, const Rows& rows) {
  for (const std::string& name : h5::names(rows.group())) {
    const std::string type = h5::text_attribute(rows.group(), name, "parameter");
    if (type.empty()) continue;
    if (type == "text") {
      const std::vector<std::string> values = rows.texts(name);
      for (std::size_t i = 0; i < cases.size(); ++i)
        if (!values[i].empty()) cases[i].params[name] = values[i];
      continue;
    }
    const std::vector<std::int64_t> values = rows.ints(name);
    for (std::size_t i = 0; i < cases.size(); ++i)
      if (values[i] != kAbsent) cases[i].params[name] = type == "bool" ? Value(values[i] != 0) : Value(values[i]);
  }
}

std::int64_t count_param(const Params& params, const char* name) {
  const auto it = params.find(name);
  const auto* count = it != params.end() ? std::get_if<std::int64_t>(&it->second) : nullptr;
  if (count != nullptr && *count < 1) throw Error(ErrorKind::io, concat("/cases/", name, " holds ", *count));
  return count != nullptr ? *count : 1;
}

std::vector<scaling::Case> read_cases(const Rows& rows) {
  std::vector<scaling::Case> cases(rows.count());
  const auto id = rows.texts("case"), op = rows.texts("workload"), kernel = rows.texts("kernel"), baseline = rows.texts("baseline"),
             isolation = rows.texts("isolation");
  const auto flops = rows.doubles("flops"), bytes = rows.doubles("bytes"), exps = rows.doubles("exps");
  const auto wire = rows.has("wire_bytes_least") ? rows.doubles("wire_bytes_least") : std::vector<double>(rows.count(), 0.0);
  const auto written = rows.has("bytes_written") ? rows.doubles("bytes_written") : std::vector<double>(rows.count(), 0.0);
  read_params(cases, rows);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    scaling::Case& c = cases[i];
    c.id = id[i];
    c.op = op[i];
    c.kernel = kernel[i];
    c.baseline = baseline[i];
    c.isolation = isolation[i] == "node" ? scaling::Isolation::node : scaling::Isolation::none;
    c.ranks = std::max(count_param(c.params, "ranks"), count_param(c.params, "replicas"));
    c.threads = count_param(c.params, "threads");
    c.cost = {.flops = flops[i], .bytes = bytes[i], .bytes_written = written[i], .exps = exps[i], .wire_bytes = wire[i]};
  }
  return cases;
}

void read_tags(std::vector<scaling::Case>& cases, const Rows& rows) {
  std::map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < cases.size(); ++i) index[cases[i].id] = i;
  const auto id = rows.texts("case"), study = rows.texts("study"), mode = rows.texts("mode"), by = rows.texts("by"), series = rows.texts("series");
  const std::vector<std::int64_t> base = rows.has("base_wished") ? rows.ints("base_wished") : std::vector<std::int64_t>(rows.count(), 0);
  for (std::size_t i = 0; i < rows.count(); ++i) {
    const auto it = index.find(id[i]);
    if (it == index.end()) throw Error(ErrorKind::io, concat("/scaling names the case '", id[i], "', which /cases does not have"));
    cases[it->second].scaling.push_back({study[i], mode[i], by[i], series[i], base[i]});
  }
}

Outcome outcome_of(std::uint8_t value, const char* column) {
  if (value >= kOutcomeNames.size()) throw Error(ErrorKind::io, concat(column, " holds ", int{value}, ", which is no outcome"));
  return static_cast<Outcome>(value);
}

/// Telemetry columns come in pairs, <figure>_before and <figure>_after; a figure that a visit did not have is NaN.
void read_telemetry(std::vector<VisitRecord>& visits, const Rows& rows) {
  for (const std::string& name : h5::names(rows.group())) {
    const bool before = name.ends_with("_before");
    if (!before && !name.ends_with("_after")) continue;
    const std::string figure = name.substr(0, name.rfind('_'));
    const std::vector<double> values = rows.doubles(name);
    for (std::size_t i = 0; i < visits.size(); ++i)
      if (!std::isnan(values[i])) (before ? visits[i].before : visits[i].after)[figure] = values[i];
  }
}

/// An op's figures stand in /cases: each visit of a case gives the same.
void read_figures(std::vector<VisitRecord>& visits, const std::vector<std::int64_t>& index, const Rows& cases) {
  for (const std::string& name : h5::names(cases.group())) {
    if (!name.starts_with(kFigurePrefix)) continue;
    const std::string unit = h5::text_attribute(cases.group(), name.c_str(), "units");
    const std::vector<double> values = cases.doubles(name);
    for (std::size_t i = 0; i < visits.size(); ++i)
      if (const double value = values[static_cast<std::size_t>(index[i])]; !std::isnan(value))
        visits[i].figures.push_back({name.substr(std::string_view(kFigurePrefix).size()), unit, value});
  }
}

/// Newer than the schema.
void read_device(std::vector<VisitRecord>& visits, const Rows& rows) {
  if (!rows.has("device_memory")) return;
  const auto peak = rows.ints("device_peak_memory"), free = rows.ints("device_free_memory"), total = rows.ints("device_memory"),
             nodes = rows.ints("graph_nodes"), ended = rows.ints("ended_process");
  const auto enqueue = rows.doubles("enqueue");
  for (std::size_t i = 0; i < visits.size(); ++i) {
    visits[i].device_peak_bytes = peak[i];
    visits[i].device_free_bytes = free[i];
    visits[i].device_total_bytes = total[i];
    visits[i].enqueue_s = enqueue[i];
    visits[i].graph_nodes = nodes[i];
    visits[i].ended_process = ended[i] != 0;
  }
}

/// /visits, and from /cases what it alone has: the check against the oracle.
std::vector<VisitRecord> read_visits(const std::vector<scaling::Case>& all, const Rows& rows, const Rows& cases) {
  std::vector<VisitRecord> visits(rows.count());
  const std::vector<std::uint8_t> status = h5::read_bytes(rows.group(), "status");
  if (status.size() != rows.count()) throw Error(ErrorKind::io, "/visits/status has another length than /visits/row");
  const auto index = rows.ints("case_index"), number = rows.ints("visit"), attempt = rows.ints("attempt"), ranks = rows.ints("ranks"), block = rows.ints("block"),
             warmup_calls = rows.ints("warmup_calls"), calls = rows.ints("calls"), checked = rows.ints("rows_checked"), memory = rows.ints("peak_memory"),
             wire = rows.ints("wire_bytes"), oversubscribed = rows.ints("oversubscribed");
  const auto reason = rows.texts("reason"), sync = rows.texts("sync"), cold = rows.texts("cold_method"), stop = rows.texts("stop_reason");
  const std::vector<std::string> run = rows.has("run") ? rows.texts("run") : std::vector<std::string>(rows.count());  // newer than the schema
  const std::vector<std::int64_t> functional = rows.has("functional_only") ? rows.ints("functional_only") : std::vector<std::int64_t>(rows.count());
  const auto start = rows.doubles("start"), check_s = rows.doubles("check_time"), warmup_s = rows.doubles("warmup_time"), measure_s = rows.doubles("measure_time"), decide_s = rows.doubles("decide_time"),
             bound = rows.doubles("clock_bound"), floor = rows.doubles("timer_floor"), tau = rows.doubles("tau");
  const auto error = cases.doubles("error"), tolerance = cases.doubles("tolerance");
  for (std::size_t i = 0; i < visits.size(); ++i) {
    if (index[i] < 0 || static_cast<std::size_t>(index[i]) >= all.size())
      throw Error(ErrorKind::io, concat("/visits/case_index holds ", index[i], ", which is no row of /cases"));
    if (ranks[i] < 1) throw Error(ErrorKind::io, concat("/visits/ranks holds ", ranks[i]));
    const auto row = static_cast<std::size_t>(index[i]);
    visits[i] = {.case_id = all[row].id, .run = run[i], .visit = number[i], .attempt = attempt[i], .outcome = outcome_of(status[i], "/visits/status"), .reason = reason[i],
                 .ranks = ranks[i], .block = block[i], .calls_per_sample = calls[i], .warmup_calls = warmup_calls[i], .sync = sync[i], .cold_method = cold[i],
                 .clock_bound_s = bound[i], .timer_floor_s = floor[i], .stop_reason = stop[i], .tau = tau[i], .start_s = start[i], .check_s = check_s[i],
                 .warmup_s = warmup_s[i], .measure_s = measure_s[i], .decide_s = decide_s[i], .rows_checked = checked[i], .peak_memory_bytes = memory[i], .wire_bytes = wire[i],
                 .oversubscribed = oversubscribed[i] != 0};
    visits[i].functional_only = functional[i] != 0;
    if (!std::isnan(tolerance[row])) visits[i].checks = {{"", error[row], tolerance[row]}};
  }
  read_device(visits, rows);
  read_figures(visits, index, cases);
  read_telemetry(visits, rows);
  return visits;
}

/// Samples follow one another visit by visit, those of /rank_samples rank by rank within a sample.
void read_samples(std::vector<VisitRecord>& visits, const Rows& rows, const Rows& samples, const Rows& ranks) {
  const auto taken = rows.ints("n"), flags = samples.ints("flags");
  const auto times = ranks.doubles("time"), starts = ranks.doubles("start");
  std::size_t sample = 0, at = 0;
  for (std::size_t v = 0; v < visits.size(); ++v) {
    const auto left = static_cast<std::int64_t>(flags.size() - sample), left_times = static_cast<std::int64_t>(times.size() - at);
    if (taken[v] < 0 || taken[v] > left || taken[v] > left_times / visits[v].ranks)
      throw Error(ErrorKind::io, concat("/visits/n holds ", taken[v], ", more than /samples and /rank_samples have left"));
    const auto n = static_cast<std::size_t>(taken[v]), width = n * static_cast<std::size_t>(visits[v].ranks);
    visits[v].flags.assign(flags.begin() + static_cast<std::ptrdiff_t>(sample), flags.begin() + static_cast<std::ptrdiff_t>(sample + n));
    visits[v].rank_time_s.assign(times.begin() + static_cast<std::ptrdiff_t>(at), times.begin() + static_cast<std::ptrdiff_t>(at + width));
    if (visits[v].ranks > 1 && n > 0 && !std::isnan(starts[at]))
      visits[v].rank_start_s.assign(starts.begin() + static_cast<std::ptrdiff_t>(at), starts.begin() + static_cast<std::ptrdiff_t>(at + width));
    if (visits[v].outcome == Outcome::ok && n == 0 && !visits[v].functional_only) throw Error(ErrorKind::io, "/visits has a visit that is ok and has no samples");
    sample += n;
    at += width;
  }
  if (sample != flags.size() || at != times.size()) throw Error(ErrorKind::io, "/samples or /rank_samples goes on after the last visit");
}

std::vector<TimedTelemetry> read_readings(const Rows& rows) {
  std::vector<TimedTelemetry> readings(rows.count());
  const std::vector<double> time = rows.doubles("time");
  for (std::size_t i = 0; i < readings.size(); ++i) readings[i].time_s = time[i];
  for (const std::string& name : h5::names(rows.group())) {
    if (name == "row" || name == "time") continue;
    const std::vector<double> values = rows.doubles(name);
    for (std::size_t i = 0; i < readings.size(); ++i)
      if (!std::isnan(values[i])) readings[i].values[name] = values[i];
  }
  return readings;
}

/// A case that was never visited, with the reason why.
void read_unvisited(RunRecord& run, const Rows& rows) {
  const std::vector<std::uint8_t> status = h5::read_bytes(rows.group(), "status");
  if (status.size() != rows.count()) throw Error(ErrorKind::io, "/cases/status has another length than /cases/case");
  const std::vector<std::string> reason = rows.texts("reason");
  std::set<std::string> visited;
  for (const VisitRecord& visit : run.visits) visited.insert(visit.case_id);
  for (std::size_t i = 0; i < run.cases.size(); ++i) {
    const Outcome outcome = outcome_of(status[i], "/cases/status");
    if (outcome == Outcome::ok || visited.contains(run.cases[i].id)) continue;
    run.cases[i].planned = outcome;
    run.cases[i].reason = reason[i];
  }
}

std::map<Width, Limits> read_limits(const Rows& rows) {
  const auto ranks = rows.ints("ranks");
  const std::vector<std::int64_t> threads = rows.has("threads") ? rows.ints("threads") : std::vector<std::int64_t>(rows.count(), 1);
  const std::vector<std::int64_t> device = rows.has("device") ? rows.ints("device") : std::vector<std::int64_t>(rows.count());
  const std::vector<double> fp16 = rows.has("fp16") ? rows.doubles("fp16") : std::vector<double>(rows.count());
  const auto fp32 = rows.doubles("fp32"), bf16 = rows.doubles("bf16"), fp64 = rows.doubles("fp64"), exp = rows.doubles("exp");
  std::map<Width, Limits> limits;
  const auto of = [&](std::size_t i) -> Limits& { return limits[{ranks[i], threads[i], device[i] != 0}]; };
  for (std::size_t i = 0; i < rows.count(); ++i)
    of(i) = {.fp32_flops_per_s = fp32[i], .bf16_flops_per_s = bf16[i], .fp16_flops_per_s = fp16[i], .fp64_flops_per_s = fp64[i], .exps_per_s = exp[i]};
  for (std::size_t k = 0; k < kTriadBytes.size(); ++k) {
    const std::string size = concat(kTriadBytes[k] >> 10, "k");
    const std::vector<double> triad = rows.doubles(concat("triad_", size));
    for (std::size_t i = 0; i < rows.count(); ++i) of(i).triad_bytes_per_s[k] = triad[i];
    if (!rows.has(concat("read_", size))) continue;  // written before reading alone was measured
    const std::vector<double> read = rows.doubles(concat("read_", size));
    for (std::size_t i = 0; i < rows.count(); ++i) of(i).read_bytes_per_s[k] = read[i];
  }
  if (!rows.has("link")) return limits;  // written before links were measured
  const std::vector<double> latency = rows.doubles("link_latency"), link = rows.doubles("link");
  for (std::size_t i = 0; i < rows.count(); ++i) of(i).link_latency_s = latency[i], of(i).link_bytes_per_s = link[i];
  return limits;
}

RunRecord read_all(hid_t file) {
  if (h5::text_attribute(file, ".", "schema") != "bench_scale") throw Error(ErrorKind::io, "it was not written by bench_scale");
  if (const double version = h5::number_attribute(file, "schema_version"); version > static_cast<double>(kStoreSchema))
    throw Error(ErrorKind::io, concat("its schema is ", version, "; this program reads up to ", kStoreSchema));
  RunRecord run;
  run.run_id = h5::text_attribute(file, ".", "run_id");
  run.created_utc = h5::text_attribute(file, ".", "created_utc");
  run.study = h5::text_attribute(file, ".", "study");
  run.plan_sha256 = h5::text_attribute(file, ".", "plan_sha256");
  run.policy = h5::text_attribute(file, ".", "policy");
  run.provenance_json = h5::text_attribute(file, ".", "provenance_json");
  run.confidence = h5::number_attribute(file, "confidence");
  if (!(run.confidence > 0.0 && run.confidence < 1.0)) throw Error(ErrorKind::io, concat("its confidence is ", run.confidence));
  const Rows cases(file, "cases", "case");
  run.cases = read_cases(cases);
  read_tags(run.cases, Rows(file, "scaling", "point"));
  run.limits = read_limits(Rows(file, "limits", "ranks"));
  const Rows visits(file, "visits", "row");
  run.visits = read_visits(run.cases, visits, cases);
  read_samples(run.visits, visits, Rows(file, "samples", "row"), Rows(file, "rank_samples", "row"));
  read_unvisited(run, cases);
  const std::vector<std::string> groups = h5::names(file);
  if (std::ranges::find(groups, "telemetry") != groups.end()) run.telemetry = read_readings(Rows(file, "telemetry", "row"));  // newer than the schema
  const std::vector<std::uint8_t> journal = h5::read_bytes(h5::open_group(file, "provenance"), "journal");
  run.journal_bytes.assign(journal.begin(), journal.end());
  return run;
}

}  // namespace

RunRecord read_store(const std::filesystem::path& path) {
  try {
    return read_all(h5::open_file(path));
  } catch (const Error& error) {
    throw Error(ErrorKind::io, concat("cannot read '", path.string(), "': ", error.what()));
  }
}

}  // namespace bench::analysis
