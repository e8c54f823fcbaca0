// SPDX-License-Identifier: Apache-2.0
#include "analysis/source_runs.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "analysis/compare/run_side.hpp"
#include "analysis/json_fields.hpp"
#include "scaling/identity.hpp"

namespace bench::analysis {
namespace {

using nlohmann::json;

constexpr std::size_t kShortId = 12;  // digits shown to people, as of a case

json object_of(const std::string& provenance_json) {
  json object = json::parse(provenance_json, nullptr, false);
  if (!object.is_object()) throw Error(ErrorKind::io, "its provenance is not a JSON object");
  return object;
}

/// Differs between two runs of one study on one machine: the ranks' binding and number follow from the launch, memory from the node.
bool follows_from_the_launch(const std::string& key) {
  return key.starts_with("slurm.") || key == "cpu.binding" || key == "cpu.load_average" || key == "memory.total_bytes";
}

/// What of the provenance can change a time, as "section.key" -> value.
std::map<std::string, std::string> conditions_of(const std::string& provenance_json) {
  std::map<std::string, std::string> conditions = environment_of(provenance_json);
  std::erase_if(conditions, [](const auto& item) { return follows_from_the_launch(item.first); });
  const json provenance = object_of(provenance_json);
  for (const char* key : {"version", "commit", "dirty"})  // environment_of leaves them out: comparisons are made across them
    if (const auto build = provenance.find("build"); build != provenance.end() && build->is_object() && build->contains(key))
      conditions[concat("build.", key)] = (*build)[key].dump();
  return conditions;
}

SourceRun source_run_from_json(const json& item) {
  SourceRun source;
  read_field(item, "run_id", source.run_id);
  read_field(item, "created_utc", source.created_utc);
  read_field(item, "study", source.study);
  read_field(item, "plan_sha256", source.plan_sha256);
  read_field(item, "env_id", source.env_id);
  source.provenance_json = member(item, "provenance").dump();
  return source;
}

json to_json(const SourceRun& s) {
  return {{"run_id", s.run_id}, {"created_utc", s.created_utc}, {"study", s.study}, {"plan_sha256", s.plan_sha256},
          {"env_id", s.env_id}, {"provenance", object_of(s.provenance_json)}};
}

/// "section.key" -> the values it has, where the sources differ, with " | " between.
std::map<std::string, std::string> different_conditions(const std::vector<SourceRun>& sources) {
  std::map<std::string, std::set<std::string>> values;
  for (const SourceRun& source : sources)
    for (const auto& [key, value] : conditions_of(source.provenance_json)) values[key].insert(value);
  std::map<std::string, std::string> different;
  for (const auto& [key, distinct] : values)
    for (const std::string& value : distinct)
      if (distinct.size() > 1) different[key] += (value == *distinct.begin() ? "" : " | ") + value;
  return different;
}

}  // namespace

std::string environment_id(const std::string& provenance_json) {
  return scaling::sha256_hex(json(conditions_of(provenance_json)).dump()).substr(0, 32);
}

std::string environment_differences(const std::vector<SourceRun>& sources) {
  std::string text;
  for (const auto& [key, values] : different_conditions(sources)) text += concat("\n  ", key, ": ", values);
  return text;
}

std::vector<SourceRun> source_runs_of(const RunRecord& run) {
  const json provenance = object_of(run.provenance_json);
  std::vector<SourceRun> sources;
  if (const auto list = provenance.find("sources"); list != provenance.end() && list->is_array())
    for (const json& item : *list) sources.push_back(source_run_from_json(item));
  if (sources.empty())
    sources.push_back({run.run_id, run.created_utc, run.study, run.plan_sha256, run.env_id.empty() ? environment_id(run.provenance_json) : run.env_id, run.provenance_json});
  return sources;
}

std::string merged_provenance(const std::vector<SourceRun>& sources) {
  json provenance = object_of(sources.front().provenance_json);
  for (const char* of_one_run : {"argv", "started_utc", "slurm", "sources"}) provenance.erase(of_one_run);
  for (const auto& [key, values] : different_conditions(sources)) provenance[key.substr(0, key.find('.'))][key.substr(key.find('.') + 1)] = values;
  provenance["sources"] = json::array();
  for (const SourceRun& source : sources) provenance["sources"].push_back(to_json(source));
  return provenance.dump();
}

std::vector<std::string> case_environments(const RunRecord& run) {
  std::vector<std::string> environments(run.cases.size());
  if (std::ranges::all_of(run.visits, [](const VisitRecord& visit) { return visit.run.empty(); })) return environments;
  std::map<std::string, std::string> of_source;
  for (const SourceRun& source : source_runs_of(run)) of_source[source.run_id] = source.env_id;
  std::map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < run.cases.size(); ++i) index[run.cases[i].id] = i;
  for (const VisitRecord& visit : run.visits) {
    const auto it = index.find(visit.case_id);
    if (it == index.end()) continue;
    std::string& known = environments[it->second];
    const std::string& here = of_source[visit.run];
    known = known.empty() || known == here ? here : kSeveralEnvironments;
  }
  return environments;
}

Section source_runs_section(const RunRecord& run) {
  Section section{"sources", {{{"run"}, {"created"}, {"study"}, {"environment"}, {"cases", true}, {"visits", true}}, {}}, {}};
  std::map<std::string, std::set<std::string>> cases;
  std::map<std::string, std::size_t> visits;
  for (const VisitRecord& visit : run.visits) {
    cases[visit.run].insert(visit.case_id);
    visits[visit.run] += 1;
  }
  if (visits.empty() || (visits.size() == 1 && visits.contains(""))) return section;
  for (const SourceRun& source : source_runs_of(run))
    section.table.rows.push_back({source.run_id.substr(0, kShortId), source.created_utc, source.study, source.env_id.substr(0, kShortId),
                                  std::to_string(cases[source.run_id].size()), std::to_string(visits[source.run_id])});
  section.note = "the runs that this file was merged from; /visits names the source of every visit";
  return section;
}

}  // namespace bench::analysis
