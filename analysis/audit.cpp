// SPDX-License-Identifier: Apache-2.0
#include "analysis/audit.hpp"

#include <fmt/format.h>

#include <limits>
#include <map>

#include "analysis/sample_times.hpp"
#include "analysis/statistics/quantiles.hpp"

namespace bench::analysis {
namespace {

struct Times {  // visit medians of a case, s
  std::vector<double> packed, alone;
};

/// Of the cases that were audited: the others' samples, which may be millions, are not looked at.
std::map<std::string, Times> audited_times(const RunRecord& run) {
  std::map<std::string, Times> times;
  for (const VisitRecord& visit : run.visits)
    if (visit.outcome == Outcome::ok && !visit.functional_only && visit.placement == kAuditPlacement) times[visit.case_id].alone.push_back(median(sorted(valid_times(visit))));
  for (const VisitRecord& visit : run.visits)
    if (const auto it = times.find(visit.case_id); it != times.end() && visit.outcome == Outcome::ok && !visit.functional_only && visit.placement == "packed")
      it->second.packed.push_back(median(sorted(valid_times(visit))));
  return times;
}

const char* words(scaling::Contention contention) {
  switch (contention) {
    case scaling::Contention::clean: return "clean";
    case scaling::Contention::contended: return "contended";
    case scaling::Contention::undecided: return "undecided";
  }
  return "";
}

}  // namespace

std::vector<AuditRow> audit_rows(const RunRecord& run) {
  std::map<std::string, std::string> kernel_of;
  for (const scaling::Case& c : run.cases) kernel_of[c.id] = c.kernel;
  std::map<std::string, std::vector<double>> ratios;  // by kernel
  for (const auto& [id, times] : audited_times(run)) {
    if (times.packed.empty()) continue;
    ratios[kernel_of[id]].push_back(geometric_mean(times.packed, run.confidence).value / geometric_mean(times.alone, run.confidence).value);
  }
  std::vector<AuditRow> rows;
  for (const auto& [kernel, pairs] : ratios) {
    AuditRow row{kernel, pairs.size(), geometric_mean(pairs, run.confidence)};
    constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
    row.contention = scaling::contention(row.ratio.interval ? row.ratio.interval->lo : kUnknown, row.ratio.interval ? row.ratio.interval->hi : kUnknown);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::set<std::string> packed_cases(const RunRecord& run) {
  std::set<std::string> ids;
  for (const VisitRecord& visit : run.visits) {
    if (visit.placement != "packed" || visit.neighbours.empty()) continue;
    ids.insert(visit.case_id);
    ids.insert(visit.neighbours.begin(), visit.neighbours.end());
  }
  return ids;
}

std::vector<bool> visits_that_count(const RunRecord& run) {
  std::set<std::string> solo;
  for (const VisitRecord& visit : run.visits)
    if (visit.placement == "solo") solo.insert(visit.case_id);
  std::vector<bool> counts;
  for (const VisitRecord& visit : run.visits)
    counts.push_back(visit.placement != kAuditPlacement && (visit.placement == "solo" || !solo.contains(visit.case_id)));
  return counts;
}

Section audit_section(const RunRecord& run) {
  Section section{"co-run audit", {{{"kernel"}, {"cases", true}, {"packed / alone", true}, {"verdict"}}, {}},
                  "contended: the whole interval lies outside of [0.98, 1.02], and times that were measured beside neighbours are marked"};
  section.table.heads[2].name = fmt::format("packed / alone [{:g} % CI]", 100.0 * run.confidence);
  for (const AuditRow& row : audit_rows(run)) {
    const std::string ratio = row.ratio.interval ? fmt::format("{:.3f} [{:.3f}, {:.3f}]", row.ratio.value, row.ratio.interval->lo, row.ratio.interval->hi)
                                                 : fmt::format("{:.3f} [too few]", row.ratio.value);
    section.table.rows.push_back({row.kernel, fmt::format("{}", row.pairs), ratio, words(row.contention)});
  }
  return section;
}

}  // namespace bench::analysis
