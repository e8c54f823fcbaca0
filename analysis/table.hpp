// SPDX-License-Identifier: Apache-2.0
// What a person sees: one table per op with the parameters that vary, the rows that have no times, and the scaling tables.
#pragma once

#include <string>
#include <vector>

#include "analysis/results.hpp"
#include "analysis/text_table.hpp"

namespace bench::analysis {

/// A heading, its table and the sentence that explains it.
struct Section {
  std::string title;
  TextTable table;
  std::string note;
};

/// One section per op with measured cases: kernel, what varies, median with its interval, rate, share of the limit, speed-up with its interval.
std::vector<Section> case_sections(const RunRecord& run, const Results& results);
/// Cases that have no times: each reason with the kernels and how many cases share it.
Section untimed_section(const RunRecord& run, const Results& results);
/// All of the above, with the warm-up table, the scaling tables, the fits and `more` of the caller's where they belong; empty ones left out.
std::vector<Section> all_sections(const RunRecord& run, const Results& results, const std::vector<Section>& more = {});
/// All of it for a terminal.
std::string tables_text(const std::vector<Section>& sections);
/// summary.md: where, what, the tables, how to read them. `directory` is relative.
std::string summary_markdown(const RunRecord& run, const std::vector<Section>& sections, const std::string& directory);

}  // namespace bench::analysis
