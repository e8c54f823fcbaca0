// SPDX-License-Identifier: Apache-2.0
#include "src/cli/recorder.hpp"

#include <unistd.h>

#include <nlohmann/json.hpp>
#include <set>

#include "analysis/store.hpp"
#include "kernels/isa.hpp"
#include "scaling/identity.hpp"
#include "src/cli/device_findings.hpp"
#include "src/comm/session.hpp"
#include "src/system/provenance.hpp"

namespace bench::cli {
namespace {

constexpr double kStoreEvery_s = 30.0;  // how often a readable results.h5 is made while measuring

/// What a time depends on, of everything that is known: not the moment, the host's name, its load, how much of its memory
/// the firmware left (twins of one model differ there) or the command line.
std::string environment_identity(const nlohmann::ordered_json& provenance) {
  nlohmann::ordered_json kept;
  for (const char* section : {"build", "libraries", "gpu"})
    if (provenance.contains(section)) kept[section] = provenance[section];
  for (const auto& [section, field] : {std::pair{"cpu", "model"}, {"cpu", "cores"}, {"cpu", "threads"}, {"cpu", "governor"}, {"host", "kernel"},
                                       {"host", "architecture"}})
    if (provenance.contains(section) && provenance[section].contains(field)) kept[section][field] = provenance[section][field];
  if (isa_cap() < kAllIsas.back()) kept["kernels"] = provenance["kernels"];  // what the processor has, its model says
  return scaling::sha256_hex(kept.dump()).substr(0, 32);
}

analysis::RunRecord new_record(const Options& options, const Planned& prepared, const std::string& created_utc) {
  analysis::RunRecord run;
  run.created_utc = created_utc;
  run.study = prepared.study.name;
  run.plan_sha256 = prepared.plan.sha256;
  run.confidence = prepared.plan.run.confidence;
  run.cases = prepared.plan.cases;
  run.policy = prepared.policy;
  auto provenance = system::provenance(options.arguments, options.keep_host, {{"mpi", comm::mpi_library_version()}});
  provenance["kernels"]["isa"] = to_text(best_isa());
  add_devices(provenance);
  run.provenance_json = provenance.dump();
  run.env_id = environment_identity(provenance);
  run.run_id = scaling::sha256_hex(run.created_utc + run.plan_sha256 + run.provenance_json + std::to_string(getpid())).substr(0, 32);
  return run;
}

}  // namespace

Recorder::Recorder(const Options& options, const Planned& prepared, const std::filesystem::path& folder, const std::string& created_utc, How how,
                   jobs::Clock clock)
    : folder_(folder, how != How::fresh), clock_(std::move(clock)), run_(new_record(options, prepared, created_utc)), last_store_s_(clock_()) {
  continued_ = std::filesystem::exists(folder_ / "journal.jsonl") && how != How::fresh;
  if (continued_)
    go_on(options, prepared, how);
  else
    start(prepared);
}

void Recorder::start(const Planned& prepared) {
  journal_ = std::make_unique<jobs::Journal>(folder_ / "journal.jsonl");
  journal_->append(jobs::plan_record(run_), true);
  journal_->append(jobs::environment_record(run_), true);
  folder_.write("config.resolved.yaml", scaling::to_yaml(prepared.study));
  folder_.write("env.json", run_.provenance_json + "\n");
}

void Recorder::go_on(const Options& options, const Planned& prepared, How how) {
  const std::filesystem::path file = folder_ / "journal.jsonl";
  analysis::RunRecord before = jobs::load_journal(file, &notes_);
  if (before.run_id.empty()) {  // killed before its first record was whole
    std::filesystem::remove(file);
    notes_ = {};
    continued_ = false;
    return start(prepared);
  }
  if (before.plan_sha256 != run_.plan_sha256 && how == How::resume && options.resume != "intersect")
    usage_error(concat("--resume: '", file.string(), "' belongs to another plan (", before.plan_sha256.substr(0, 12), ", this one is ",
                       run_.plan_sha256.substr(0, 12), "): give the same study, flags and ranks, or --resume=intersect to keep what both have"));
  const bool knows_environment = !before.env_id.empty();  // else it was killed before it could say
  if (knows_environment && before.env_id != run_.env_id && how == How::resume && !options.allow_env_change)
    usage_error(concat("--resume: '", file.string(), "' was measured in another environment (build, libraries or machine; see env.json): "
                       "take another folder, or --allow-env-change to have both in one"));
  journal_ = std::make_unique<jobs::Journal>(file, static_cast<std::int64_t>(before.journal_bytes.size()));
  ++notes_.sessions;
  const bool same = before.env_id == run_.env_id;
  const std::string environment = same || !knows_environment ? "" : concat("; another environment, ", run_.env_id);
  journal_->append(jobs::mark_record(how == How::rebuilt ? "rebuilt" : "resumed", concat(before.visits.size(), " visits were there", environment)), true);
  if (!same) journal_->append(jobs::environment_record(run_), true);
  const bool another_plan = before.plan_sha256 != run_.plan_sha256;
  before.cases = run_.cases;  // the same ids, or with `intersect` the present plan's
  before.plan_sha256 = run_.plan_sha256;
  if (!knows_environment) {
    before.env_id = run_.env_id;
    before.provenance_json = run_.provenance_json;
  }
  run_ = std::move(before);
  std::set<std::string> known;
  for (const scaling::Case& c : run_.cases) known.insert(c.id);
  std::erase_if(run_.visits, [&](const analysis::VisitRecord& visit) { return !known.contains(visit.case_id); });
  if (another_plan) journal_->append(jobs::plan_record(run_), true);
}

void Recorder::add_limits(const analysis::Width& width, const analysis::Limits& limits) {
  run_.limits[width] = analysis::better_of(run_.limits[width], limits);
  journal_->append(jobs::limits_record(width, run_.limits[width]), true);
}

void Recorder::add_telemetry(const std::vector<analysis::TimedTelemetry>& readings) {
  if (readings.empty()) return;
  journal_->append(jobs::telemetry_record(readings), false);
  run_.telemetry.insert(run_.telemetry.end(), readings.begin(), readings.end());
}

void Recorder::store() {
  const double begin = clock_();
  run_.journal_bytes = jobs::journal_bytes(folder_ / "journal.jsonl");
  analysis::write_store(run_, folder_ / "results.h5");
  last_store_s_ = clock_();
  store_s_ += last_store_s_ - begin;
}

void Recorder::store_now_and_then() {
  if (clock_() - last_store_s_ > kStoreEvery_s) store();
}

void Recorder::status(const char* state, std::size_t done, std::size_t total, double left_s) {
  folder_.write("status.json", nlohmann::json{{"state", state}, {"done", done}, {"total", total}, {"seconds_left", left_s}}.dump() + "\n");
}

}  // namespace bench::cli
