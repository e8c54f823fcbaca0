// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <map>
#include <set>
#include <span>

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
  read_params(cases, rows);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    scaling::Case& c = cases[i];
    c.id = id[i];
    c.op = op[i];
    c.kernel = kernel[i];
    c.baseline = baseline[i];
    c.isolation = isolation[i] == "node" ? scaling::Isolation::node : scaling::Isolation::none;
    c.ranks = count_param(c.params, "ranks");
    c.threads = count_param(c.params, "threads");
    c.cost = {.flops = flops[i], .bytes = bytes[i], .exps = exps[i]};
  }
  return cases;
}

void read_tags(std::vector<scaling::Case>& cases, const Rows& rows) {
  std::map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < cases.size(); ++i) index[cases[i].id] = i;
  const auto id = rows.texts("case"), study = rows.texts("study"), mode = rows.texts("mode"), by = rows.texts("by"), series = rows.texts("series");
  for (std::size_t i = 0; i < rows.count(); ++i) {
    const auto it = index.find(id[i]);
    if (it == index.end()) throw Error(ErrorKind::io, concat("/scaling names the case '", id[i], "', which /cases does not have"));
    cases[it->second].scaling.push_back({study[i], mode[i], by[i], series[i]});
  }
}

/// Rows of /samples are in the order they were taken; a change of case or visit starts a new record.
void read_visits(RunRecord& run, const Rows& samples, const Rows& ranks, std::vector<std::size_t>& case_of) {
  const auto index = samples.ints("case_index"), visit = samples.ints("visit"), block = samples.ints("block"), calls = samples.ints("calls");
  const std::vector<double> times = ranks.doubles("time");
  std::size_t at = 0;
  for (std::size_t i = 0; i < samples.count(); ++i) {
    if (index[i] < 0 || static_cast<std::size_t>(index[i]) >= run.cases.size())
      throw Error(ErrorKind::io, concat("/samples/case_index holds ", index[i], ", which is no row of /cases"));
    const auto row = static_cast<std::size_t>(index[i]);
    const auto width = static_cast<std::size_t>(run.cases[row].ranks);
    if (times.size() - at < width) throw Error(ErrorKind::io, "/rank_samples ends before /samples does");
    if (i == 0 || index[i] != index[i - 1] || visit[i] != visit[i - 1]) {
      run.visits.push_back({.case_id = run.cases[row].id, .visit = visit[i], .ranks = run.cases[row].ranks, .block = block[i], .calls_per_sample = calls[i]});
      case_of.push_back(row);
    }
    const auto mine = std::span(times).subspan(at, width);
    run.visits.back().rank_time_s.insert(run.visits.back().rank_time_s.end(), mine.begin(), mine.end());
    at += width;
  }
  if (at != times.size()) throw Error(ErrorKind::io, "/rank_samples goes on after /samples has ended");
}

/// What /cases holds of the visits goes to each of them. A case without times gets one failed visit, or, when there is nothing to say of one,
/// was not visited at all.
void read_outcomes(RunRecord& run, const Rows& rows, const std::vector<std::size_t>& case_of) {
  const std::vector<std::uint8_t> status = h5::read_bytes(rows.group(), "status");
  const auto reason = rows.texts("reason"), stop_reason = rows.texts("stop_reason");
  const auto error = rows.doubles("error"), tolerance = rows.doubles("tolerance"), memory = rows.doubles("peak_memory");
  const auto wire = rows.ints("wire_bytes"), oversubscribed = rows.ints("oversubscribed");
  if (status.size() != rows.count()) throw Error(ErrorKind::io, "/cases/status has another length than /cases/case");
  const auto fill = [&](VisitRecord& visit, std::size_t i) {
    visit.stop_reason = stop_reason[i];
    if (!std::isnan(tolerance[i])) visit.checks = {{"", error[i], tolerance[i]}};
    if (memory[i] > 0.0 && memory[i] < 0x1p63) visit.peak_memory_bytes = static_cast<std::int64_t>(memory[i]);
    visit.wire_bytes = wire[i];
    visit.oversubscribed = oversubscribed[i] != 0;
  };
  for (std::size_t v = 0; v < case_of.size(); ++v) fill(run.visits[v], case_of[v]);
  const std::set<std::size_t> sampled(case_of.begin(), case_of.end());
  for (std::size_t i = 0; i < rows.count(); ++i) {
    if (status[i] >= kOutcomeNames.size()) throw Error(ErrorKind::io, concat("/cases/status holds ", int{status[i]}, ", which is no outcome"));
    const auto outcome = static_cast<Outcome>(status[i]);
    if (outcome == Outcome::ok) continue;
    VisitRecord failed{.case_id = run.cases[i].id, .outcome = outcome, .reason = reason[i], .ranks = run.cases[i].ranks};
    fill(failed, i);
    if (sampled.contains(i) || !failed.checks.empty() || failed.peak_memory_bytes > 0 || failed.wire_bytes > 0 || failed.oversubscribed) {
      run.visits.push_back(std::move(failed));
    } else {
      run.cases[i].planned = outcome;
      run.cases[i].reason = reason[i];
    }
  }
}

std::map<std::int64_t, Limits> read_limits(const Rows& rows) {
  const auto ranks = rows.ints("ranks");
  const auto fp32 = rows.doubles("fp32"), bf16 = rows.doubles("bf16"), fp64 = rows.doubles("fp64"), exp = rows.doubles("exp");
  std::map<std::int64_t, Limits> limits;
  for (std::size_t i = 0; i < rows.count(); ++i)
    limits[ranks[i]] = {.fp32_flops_per_s = fp32[i], .bf16_flops_per_s = bf16[i], .fp64_flops_per_s = fp64[i], .exps_per_s = exp[i]};
  for (std::size_t k = 0; k < kTriadBytes.size(); ++k) {
    const std::vector<double> rate = rows.doubles(concat("triad_", kTriadBytes[k] >> 10, "k"));
    for (std::size_t i = 0; i < rows.count(); ++i) limits[ranks[i]].triad_bytes_per_s[k] = rate[i];
  }
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
  run.provenance_json = h5::text_attribute(file, ".", "provenance_json");
  run.confidence = h5::number_attribute(file, "confidence");
  if (!(run.confidence > 0.0 && run.confidence < 1.0)) throw Error(ErrorKind::io, concat("its confidence is ", run.confidence));
  const Rows cases(file, "cases", "case");
  run.cases = read_cases(cases);
  read_tags(run.cases, Rows(file, "scaling", "point"));
  run.limits = read_limits(Rows(file, "limits", "ranks"));
  std::vector<std::size_t> case_of;
  read_visits(run, Rows(file, "samples", "row"), Rows(file, "rank_samples", "row"), case_of);
  read_outcomes(run, cases, case_of);
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
