// SPDX-License-Identifier: Apache-2.0
#include "analysis/store.hpp"

#include <nlohmann/json.hpp>

#include "analysis/replace_file.hpp"
#include "analysis/store_groups.hpp"
#include "scaling/identity.hpp"

namespace bench::analysis {
namespace {

namespace fs = std::filesystem;

/// Flat text attributes of the provenance's plain values, so that `h5dump -a` answers the usual questions.
void flat_provenance(hid_t root, const std::string& text) {
  h5::set_attribute(root, "provenance_json", text);
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return;
  for (const auto& [name, value] : json.items())
    if (value.is_string()) h5::set_attribute(root, "env_" + name, value.get<std::string>());
}

void root_attributes(hid_t root, const RunRecord& run) {
  h5::set_attribute(root, "Conventions", std::string("CF-1.10"));
  h5::set_attribute(root, "schema", std::string("bench_scale"));
  h5::set_attribute(root, "schema_version", kStoreSchema);
  h5::set_attribute(root, "run_id", run.run_id);
  h5::set_attribute(root, "created_utc", run.created_utc);
  h5::set_attribute(root, "study", run.study);
  h5::set_attribute(root, "plan_sha256", run.plan_sha256);
  h5::set_attribute(root, "confidence", run.confidence);
  if (!run.policy.empty()) h5::set_attribute(root, "policy", run.policy);
  flat_provenance(root, run.provenance_json);
}

/// The environment and the journal itself, so that one file carries everything.
void write_provenance(hid_t root, const RunRecord& run) {
  const h5::Handle group = h5::create_group(root, "provenance");
  const h5::Handle environment = h5::write_strings(group, "environment", {run.provenance_json});
  const std::vector<std::uint8_t> bytes(run.journal_bytes.begin(), run.journal_bytes.end());
  const h5::Handle journal = h5::write_bytes(group, "journal", bytes);
  h5::set_attribute(journal, "sha256", scaling::sha256_hex(run.journal_bytes));
  h5::set_attribute(journal, "long_name", std::string("the journal this file was made from, byte for byte"));
}

std::vector<char> image(const RunRecord& run) {
  const Results results = make_results(run);
  const h5::Handle file = h5::create_file();
  root_attributes(file, run);
  write_group(file, "cases", case_columns(run, results), run.confidence);
  const std::vector<Column> visits = visit_columns(run);
  write_group(file, "visits", visits, run.confidence);
  write_group(file, "telemetry", telemetry_columns(run), run.confidence);
  write_group(file, "samples", sample_columns(run, results), run.confidence);
  write_group(file, "rank_samples", rank_sample_columns(run), run.confidence);
  write_group(file, "scaling", scaling_columns(run, results), run.confidence);
  const std::vector<Column> winners = winner_columns(run, results);
  write_group(file, "winners", winners, run.confidence);
  const std::vector<Column> crossovers = crossover_columns(run, results);
  write_group(file, "crossovers", crossovers, run.confidence);
  const std::vector<Column> overlaps = overlap_columns(run, results);
  write_group(file, "overlaps", overlaps, run.confidence);
  const std::vector<Column> fits = fit_columns(make_fits(run, results));
  write_group(file, "fits", fits, run.confidence);
  write_group(file, "limits", limit_columns(run), run.confidence);
  const h5::Handle tables = h5::create_group(file, "tables");
  write_table(tables, "cases", case_columns(run, results));
  write_table(tables, "visits", visits);
  write_table(tables, "scaling", scaling_columns(run, results));
  write_table(tables, "winners", winners);
  write_table(tables, "crossovers", crossovers);
  write_table(tables, "overlaps", overlaps);
  write_table(tables, "fits", fits);
  write_provenance(file, run);
  return h5::image_of(file);
}

}  // namespace

void write_store(const RunRecord& run, const fs::path& path) {
  replace_file(path, image(run));
}

}  // namespace bench::analysis
