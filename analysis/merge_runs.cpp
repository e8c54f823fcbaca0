// SPDX-License-Identifier: Apache-2.0
#include "analysis/merge_runs.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include <nlohmann/json.hpp>

#include "analysis/record_json.hpp"
#include "analysis/source_runs.hpp"
#include "scaling/identity.hpp"

namespace bench::analysis {
namespace {

using Runs = std::vector<const RunRecord*>;
constexpr const char* kSourceFigure = "source";  // of a telemetry reading

/// Oldest first; of two records of one run the fuller first. The order of the arguments then means nothing.
Runs in_order(const std::vector<RunRecord>& runs) {
  Runs order;
  for (const RunRecord& run : runs) order.push_back(&run);
  const auto key = [](const RunRecord* run) { return std::make_tuple(std::cref(run->created_utc), std::cref(run->run_id), -static_cast<std::int64_t>(run->visits.size())); };
  std::ranges::stable_sort(order, [&](const RunRecord* a, const RunRecord* b) { return key(a) < key(b); });
  return order;
}

/// Every source once, oldest first.
std::vector<SourceRun> all_sources(const Runs& runs) {
  std::map<std::string, SourceRun> by_id;
  for (const RunRecord* run : runs)
    for (SourceRun& source : source_runs_of(*run)) by_id.try_emplace(source.run_id, std::move(source));
  std::vector<SourceRun> sources;
  for (auto& [id, source] : by_id) sources.push_back(std::move(source));
  std::ranges::stable_sort(sources, {}, &SourceRun::created_utc);
  return sources;
}

void require_one_environment(const std::vector<SourceRun>& sources, const MergeRule& rule) {
  const auto other = std::ranges::find_if(sources, [&](const SourceRun& source) { return source.env_id != sources.front().env_id; });
  if (other == sources.end() || rule.allow_environment_change) return;
  usage_error(concat("the runs ", sources.front().run_id.substr(0, 12), " and ", other->run_id.substr(0, 12), " were not made in one environment:", environment_differences(sources),
                     "\n--allow-env-change merges them all the same; no ratio is then taken across environments"));
}

template <class T>
void join(std::vector<T>& to, const std::vector<T>& from) {
  for (const T& item : from)
    if (std::ranges::find(to, item) == to.end()) to.push_back(item);
}

/// What one run knows of a case added to what others know: a run that can place it counts more than one that cannot.
void join_case(scaling::Case& to, const scaling::Case& from) {
  const std::vector<std::string> sweeps = to.sweeps;
  const std::vector<scaling::ScalingTag> tags = to.scaling;
  const std::vector<scaling::CrossoverTag> crossovers = to.crossovers;
  const std::string baseline = to.baseline;
  if (to.planned != Outcome::ok && from.planned == Outcome::ok) to = from;
  if (to.baseline.empty()) to.baseline = baseline.empty() ? from.baseline : baseline;
  join(to.sweeps, sweeps);
  join(to.sweeps, from.sweeps);
  join(to.scaling, tags);
  join(to.scaling, from.scaling);
  join(to.crossovers, crossovers);
  join(to.crossovers, from.crossovers);
}

std::vector<scaling::Case> join_cases(const Runs& runs) {
  std::vector<scaling::Case> cases;
  std::map<std::string, std::size_t> index;
  for (const RunRecord* run : runs)
    for (const scaling::Case& c : run->cases) {
      const auto [it, is_new] = index.try_emplace(c.id, cases.size());
      if (is_new) cases.push_back(c);
      else join_case(cases[it->second], c);
    }
  return cases;
}

/// Equal for two records of one measurement: all of it but its number and source, which a merge gives anew.
std::string measurement_key(const VisitRecord& visit) {
  nlohmann::json json = to_json(visit);
  json.erase("visit");
  json.erase("run");
  return scaling::sha256_hex(json.dump());
}

struct Taken {
  VisitRecord visit;
  std::size_t source = 0;  // row of the sources
};

/// Each measurement once, in the order of the runs. Within one run equal records are different measurements (a clock that does not tick).
std::vector<Taken> distinct_visits(const Runs& runs, const std::map<std::string, std::size_t>& source_rows, MergeReport& report) {
  std::vector<Taken> taken;
  std::map<std::string, std::size_t> known;  // measurement -> how often it was taken
  for (const RunRecord* run : runs) {
    std::map<std::string, std::size_t> here;
    for (const VisitRecord& visit : run->visits) {
      const std::string key = measurement_key(visit);
      if (++here[key] <= known[key]) {
        report.identical_visits += 1;
        continue;
      }
      known[key] += 1;
      Taken& item = taken.emplace_back(Taken{visit, 0});
      if (item.visit.run.empty()) item.visit.run = run->run_id;
      const auto row = source_rows.find(item.visit.run);
      if (row == source_rows.end()) throw Error(ErrorKind::io, concat("a visit is of the run '", item.visit.run, "', which its file does not list"));
      item.source = row->second;
    }
  }
  return taken;
}

/// Where sources disagree on a case: results.cpp lets a later word count, and a loss must not outweigh a measurement, nor a measurement a
/// wrong answer.
int weight_of(Outcome outcome) { return outcome == Outcome::wrong_result ? 2 : outcome == Outcome::ok ? 1 : 0; }

/// Gives the visits of a case that several sources have numbers of their own: those of a source follow the largest of the sources before.
void renumber(const std::vector<Taken*>& visits) {
  std::map<std::size_t, std::pair<std::int64_t, std::int64_t>> range;  // source -> least and largest number
  for (const Taken* item : visits) {
    const std::int64_t number = item->visit.visit;
    const auto [it, is_new] = range.try_emplace(item->source, number, number);
    it->second = {std::min(it->second.first, number), std::max(it->second.second, number)};
  }
  std::map<std::size_t, std::int64_t> shift;
  std::int64_t next = range.begin()->second.first;
  for (const auto& [source, ends] : range) {
    shift[source] = next - ends.first;
    next += ends.second - ends.first + 1;
  }
  for (Taken* item : visits) item->visit.visit += shift.at(item->source);
}

void order_and_number(std::vector<Taken>& taken, MergeReport& report) {
  std::map<std::string, std::set<std::size_t>> sources;  // of a case
  for (const Taken& item : taken) sources[item.visit.case_id].insert(item.source);
  const auto key = [&](const Taken& item) {
    return std::make_pair(sources.at(item.visit.case_id).size() > 1 ? weight_of(item.visit.outcome) : 1, item.source);
  };
  std::ranges::stable_sort(taken, [&](const Taken& a, const Taken& b) { return key(a) < key(b); });
  std::map<std::string, std::vector<Taken*>> by_case;
  for (Taken& item : taken)
    if (sources.at(item.visit.case_id).size() > 1) by_case[item.visit.case_id].push_back(&item);
  for (const auto& [id, visits] : by_case) renumber(visits);
  report.cases_of_several_sources = by_case.size();
}

std::map<Width, Limits> join_limits(const Runs& runs) {
  std::map<Width, Limits> limits;
  std::map<Width, std::set<std::string>> environments;
  for (const RunRecord* run : runs)
    for (const auto& [width, measured] : run->limits) {
      limits[width] = better_of(limits[width], measured);
      for (const SourceRun& source : source_runs_of(*run)) environments[width].insert(source.env_id);
    }
  std::erase_if(limits, [&](const auto& item) { return environments.at(item.first).size() > 1; });
  return limits;
}

/// The row that a reading had among the sources of its own record becomes its row among all.
std::vector<TimedTelemetry> join_telemetry(const Runs& runs, const std::map<std::string, std::size_t>& source_rows) {
  std::set<std::pair<std::size_t, double>> seen;
  std::vector<std::pair<std::size_t, TimedTelemetry>> all;
  for (const RunRecord* run : runs) {
    const std::vector<SourceRun> sources = source_runs_of(*run);
    for (TimedTelemetry reading : run->telemetry) {
      const auto own = reading.values.find(kSourceFigure);
      const std::size_t row = own != reading.values.end() ? static_cast<std::size_t>(own->second) : 0;
      if (row >= sources.size()) throw Error(ErrorKind::io, concat("a telemetry reading is of source ", row, " of ", sources.size()));
      const std::size_t merged_row = source_rows.at(sources[row].run_id);
      if (!seen.emplace(merged_row, reading.time_s).second) continue;
      reading.values[kSourceFigure] = static_cast<double>(merged_row);
      all.emplace_back(merged_row, std::move(reading));
    }
  }
  std::ranges::stable_sort(all, {}, &std::pair<std::size_t, TimedTelemetry>::first);
  std::vector<TimedTelemetry> readings;
  for (auto& [row, reading] : all) readings.push_back(std::move(reading));
  return readings;
}

/// The value that all sources share, or what `otherwise` makes of the distinct ones.
template <class Get, class Otherwise>
std::string shared(const std::vector<SourceRun>& sources, Get&& get, Otherwise&& otherwise) {
  std::set<std::string> distinct;
  for (const SourceRun& source : sources) distinct.insert(get(source));
  return distinct.size() == 1 ? *distinct.begin() : otherwise(distinct);
}

std::string joined_by(const std::set<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

void name(RunRecord& merged, const std::vector<SourceRun>& sources) {
  std::set<std::string> ids;
  for (const SourceRun& source : sources) ids.insert(source.run_id);
  merged.run_id = scaling::sha256_hex("merge " + joined_by(ids, " ")).substr(0, 32);
  merged.created_utc = sources.front().created_utc;
  merged.study = shared(sources, [](const SourceRun& s) { return s.study; }, [](const auto& all) { return joined_by(all, "+"); });
  merged.plan_sha256 = shared(sources, [](const SourceRun& s) { return s.plan_sha256; }, [](const auto& all) { return scaling::sha256_hex(joined_by(all, " ")); });
  merged.env_id = shared(sources, [](const SourceRun& s) { return s.env_id; }, [](const auto&) { return std::string(kSeveralEnvironments); });
  merged.provenance_json = merged_provenance(sources);
}

void join_settings(RunRecord& merged, const Runs& runs, MergeReport& report) {
  std::set<double> confidences;
  std::set<std::string> policies;
  for (const RunRecord* run : runs) {
    confidences.insert(run->confidence);
    policies.insert(run->policy);
  }
  merged.confidence = *confidences.rbegin();
  if (confidences.size() > 1) report.notes.push_back(concat("the runs ask for different confidences; every interval is made at ", merged.confidence));
  if (policies.size() == 1) merged.policy = *policies.begin();
  else report.notes.push_back("the runs have different policies; the merged file has none");
}

}  // namespace

RunRecord merge_runs(const std::vector<RunRecord>& runs, const MergeRule& rule, MergeReport* report) {
  if (runs.empty()) usage_error("there is nothing to merge: no input holds a run");
  MergeReport own_report;
  MergeReport& told = report != nullptr ? *report : own_report;
  const Runs order = in_order(runs);
  const std::vector<SourceRun> sources = all_sources(order);
  require_one_environment(sources, rule);
  std::map<std::string, std::size_t> source_rows;
  for (std::size_t i = 0; i < sources.size(); ++i) source_rows[sources[i].run_id] = i;
  told.sources = sources.size();

  RunRecord merged;
  name(merged, sources);
  join_settings(merged, order, told);
  merged.cases = join_cases(order);
  merged.limits = join_limits(order);
  merged.telemetry = join_telemetry(order, source_rows);
  std::vector<Taken> taken = distinct_visits(order, source_rows, told);
  order_and_number(taken, told);
  for (Taken& item : taken) merged.visits.push_back(std::move(item.visit));
  return merged;
}

}  // namespace bench::analysis
