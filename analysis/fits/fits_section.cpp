// SPDX-License-Identifier: Apache-2.0
#include "analysis/fits/fits_section.hpp"

#include <fmt/format.h>

#include <array>

#include "src/core/units.hpp"

namespace bench::analysis {
namespace {

std::string time_cell(const Estimate& time) {
  if (!time.interval) return format_time(time.value);
  return fmt::format("{} [{}, {}]", format_time(time.value), format_time(time.interval->lo),
                     format_time(time.interval->hi));
}

std::string hold_out_cell(const std::optional<HoldOut>& out) {
  if (!out) return "too few points";
  const char* band = !out->inside ? "no band" : *out->inside ? "inside" : "OUTSIDE";
  return fmt::format("p={}: {:+.1f} % ({})", out->ranks, 100.0 * out->error, band);
}

std::string number_cell(const std::optional<double>& value) {
  return value ? fmt::format("{:.3g}", *value) : "-";
}

}  // namespace

std::string formula(const TimeTerms& terms) {
  constexpr std::array<const char*, kTimeTerms> kFactors{"", "/p", " log2 p", " (p-1)"};
  std::string text;
  for (std::size_t j = 0; j < kTimeTerms; ++j)
    if (terms[j] > 0.0) text += concat(text.empty() ? "" : " + ", format_time(terms[j]), kFactors[j]);
  return text;
}

Section fits_section(const RunRecord& run, const Results& results) {
  const std::string ci = fmt::format(" [{:g} % band]", 100.0 * run.confidence);
  Section section{
      "fits",
      {},
      "T(p) over p ranks, terms chosen by AICc; weak studies: time at the base's work per rank. Foretold "
      "is twice the largest p, never measured; hold-out is the largest p foretold from the others"};
  section.table.heads = {{"study"},        {"kernel"},     {"mode"},
                         {"T(p)"},         {"n", true},    {"serial", true},
                         {"best p", true}, {"at p", true}, {"foretold" + ci, true},
                         {"hold-out"},     {"note"}};
  for (const FitRow& row : make_fits(run, results)) {
    if (row.model.empty()) continue;
    const Prediction& ahead = row.curve.predictions.front();
    section.table.rows.push_back({row.tag.study.substr(row.tag.study.find('/') + 1), row.kernel,
                                  row.tag.mode + (row.tag.by.empty() ? "" : ":" + row.tag.by),
                                  formula(row.curve.fit.terms), fmt::format("{}", row.n_points),
                                  number_cell(row.serial_fraction), number_cell(row.peak_ranks),
                                  fmt::format("{:g}", ahead.ranks), time_cell(ahead.time_s),
                                  hold_out_cell(row.curve.hold_out), row.note});
  }
  return section;
}

}  // namespace bench::analysis
