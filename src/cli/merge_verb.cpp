// SPDX-License-Identifier: Apache-2.0
// merge: shards, runs on several numbers of ranks, or a study in pieces, as one folder like a run's. Its journal is a journal again, so a
// merge can be merged.
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <system_error>

#include <nlohmann/json.hpp>

#include "analysis/compare/baseline_sides.hpp"
#include "analysis/merge_runs.hpp"
#include "analysis/source_runs.hpp"
#include "analysis/store.hpp"
#include "analysis/table.hpp"
#include "jobs/journal.hpp"
#include "src/cli/exit_codes.hpp"
#include "src/cli/run_folder.hpp"
#include "src/cli/verbs.hpp"

namespace bench::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kJournal = "journal.jsonl";
constexpr const char* kStore = "results.h5";

/// What a folder offers of a run, the journal before what is made of it; empty when it is no run's folder.
fs::path run_file_in(const fs::path& folder) {
  std::error_code ignored;
  for (const char* name : {kJournal, kStore})
    if (fs::is_regular_file(folder / name, ignored)) return folder / name;
  return {};
}

/// A file is itself, a run's folder its journal, any other folder all runs below it but `output`'s own.
std::vector<fs::path> files_of(const std::string& argument, const fs::path& output) {
  std::error_code code;
  if (!fs::exists(argument, code)) usage_error(concat("'", argument, "' does not exist; give run folders, journals or results.h5 files"));
  if (!fs::is_directory(argument, code)) return {argument};
  if (const fs::path file = run_file_in(argument); !file.empty()) return {file};
  std::vector<fs::path> files;
  for (fs::recursive_directory_iterator it(argument, code), end; !code && it != end; it.increment(code)) {
    if (!it->is_directory(code) || it->path().filename().string().starts_with('.')) continue;
    std::error_code ignored;
    const fs::path file = run_file_in(it->path());
    if (file.empty()) continue;
    it.disable_recursion_pending();
    if (!fs::equivalent(it->path(), output, ignored)) files.push_back(file);
  }
  if (code) throw Error(ErrorKind::io, concat("cannot list '", argument, "': ", code.message()));
  if (files.empty()) usage_error(concat("the folder '", argument, "' has no run below it (a folder with journal.jsonl or results.h5)"));
  std::ranges::sort(files);
  return files;
}

bool is_hdf5(const fs::path& path) {
  constexpr std::string_view kSignature("\x89HDF\r\n\x1a\n", 8);
  std::string head(kSignature.size(), '\0');
  std::ifstream(path, std::ios::binary).read(head.data(), static_cast<std::streamsize>(head.size()));
  return head == kSignature;
}

analysis::RunRecord read_run(const fs::path& path) {
  jobs::JournalNotes notes;
  const analysis::RunRecord run =
      is_hdf5(path) ? jobs::parse_journal(analysis::read_store(path).journal_bytes, path.string() + "/provenance/journal", &notes) : jobs::load_journal(path, &notes);
  if (notes.torn_bytes > 0) std::cerr << concat("bench_scale: ", path.string(), ": the last ", notes.torn_bytes, " bytes are an unfinished record and left out\n");
  return run;
}

std::vector<analysis::RunRecord> read_runs(const std::vector<std::string>& inputs, const fs::path& output) {
  std::set<fs::path> files;
  for (const std::string& input : inputs)
    for (const fs::path& file : files_of(input, output)) files.insert(fs::canonical(file));
  std::vector<analysis::RunRecord> runs;
  for (const fs::path& file : files) {
    analysis::RunRecord run = read_run(file);
    if (!run.run_id.empty() && !run.provenance_json.empty()) runs.push_back(std::move(run));
    else std::cerr << concat("bench_scale: ", file.string(), ": ended before it began to measure; nothing to merge\n");
  }
  if (runs.empty()) throw Error(ErrorKind::no_match, "nothing to merge: no input holds a run");
  return runs;
}

std::set<std::string> source_ids(const analysis::RunRecord& run) {
  std::set<std::string> ids;
  for (const analysis::SourceRun& source : analysis::source_runs_of(run)) ids.insert(source.run_id);
  return ids;
}

/// An earlier merge in the output folder may be replaced when nothing of it is lost: all its runs are in `merged`. A run never.
void require_replaceable(const fs::path& output, const analysis::RunRecord& merged) {
  const fs::path journal = output / kJournal;
  if (!fs::exists(journal)) return;
  const analysis::RunRecord old = jobs::load_journal(journal);
  const bool is_merge = !old.visits.empty() && !old.visits.front().run.empty();
  const std::set<std::string> before = is_merge ? source_ids(old) : std::set<std::string>{}, now = source_ids(merged);
  if (!is_merge) usage_error(concat("--output-dir '", output.string(), "' holds a run; give another folder"));
  if (!std::ranges::includes(now, before)) usage_error(concat("--output-dir '", output.string(), "' holds a merge of runs that are not among these; give another folder"));
}

/// The merged records as a journal of their own.
void write_journal(const analysis::RunRecord& run, const fs::path& path) {
  fs::path temporary = path;
  temporary += ".tmp";
  fs::remove(temporary);
  {
    jobs::Journal journal(temporary);
    journal.append(jobs::plan_record(run), false);
    for (const auto& [width, limits] : run.limits) journal.append(jobs::limits_record(width, limits), false);
    if (!run.telemetry.empty()) journal.append(jobs::telemetry_record(run.telemetry), false);
    for (const analysis::VisitRecord& visit : run.visits) journal.append(jobs::visit_record(visit), false);
    journal.append(jobs::environment_record(run), true);
  }
  fs::rename(temporary, path);
}

struct Progress {
  std::size_t planned = 0, visited = 0;
};
Progress progress_of(const analysis::RunRecord& run) {
  std::set<std::string> visited;
  for (const analysis::VisitRecord& visit : run.visits) visited.insert(visit.case_id);
  Progress progress;
  for (const scaling::Case& c : run.cases) {
    progress.planned += c.planned == Outcome::ok ? 1 : 0;
    progress.visited += c.planned == Outcome::ok && visited.contains(c.id) ? 1 : 0;
  }
  return progress;
}

void tell(const analysis::MergeReport& report, const analysis::RunRecord& run, const Progress& progress, const RunFolder& folder) {
  std::cerr << concat(run.study, ": ", report.sources, report.sources == 1 ? " run, " : " runs, ", run.visits.size(), " visits to ", progress.visited, " of ", progress.planned,
                      " cases; ", (folder / kStore).string(), '\n');
  if (report.identical_visits > 0) std::cerr << concat(report.identical_visits, " visits came more than once and are kept once\n");
  if (report.cases_of_several_sources > 0)
    std::cerr << concat(report.cases_of_several_sources, " cases were measured by several runs: every visit is kept, and their times are over all of them\n");
  for (const std::string& note : report.notes) std::cerr << note << '\n';
}

}  // namespace

int merge_verb(const Options& options) {
  if (options.output_dir.empty()) usage_error("merge needs -o DIR, the folder for the merged results");
  const std::vector<analysis::RunRecord> runs = read_runs(options.merge.inputs, options.output_dir);
  analysis::MergeReport report;
  analysis::RunRecord run = analysis::merge_runs(runs, {options.allow_env_change}, &report);
  require_replaceable(options.output_dir, run);
  const RunFolder folder(options.output_dir, true);
  write_journal(run, folder / kJournal);
  run.journal_bytes = jobs::journal_bytes(folder / kJournal);
  analysis::write_store(run, folder / kStore);

  const analysis::Results results = analysis::make_results(run);
  std::vector<analysis::Section> more{analysis::source_runs_section(run)};
  if (!run.policy.empty()) more.push_back(analysis::criteria_section(run, results, analysis::parse_policy(run.policy, "policy")));
  const std::vector<analysis::Section> sections = analysis::all_sections(run, results, more);
  std::cout << analysis::tables_text(sections) << std::flush;
  folder.write("summary.md", analysis::summary_markdown(run, sections, folder.path().string()));
  folder.write("env.json", run.provenance_json + "\n");
  const Progress progress = progress_of(run);
  const nlohmann::json status{{"state", progress.visited < progress.planned ? "stopped" : "finished"}, {"done", progress.visited}, {"total", progress.planned}};
  folder.write("status.json", status.dump() + "\n");
  tell(report, run, progress, folder);
  return kAllMeasured;
}

}  // namespace bench::cli
