// SPDX-License-Identifier: Apache-2.0
#include "analysis/warmup_section.hpp"

#include <fmt/format.h>

#include <map>

#include "analysis/case_parameters.hpp"
#include "analysis/sample_times.hpp"
#include "analysis/statistics/moments.hpp"
#include "src/core/units.hpp"

namespace bench::analysis {
namespace {

constexpr std::int64_t kReference = 5;  // calls

struct Row {
  Moments moments;
  std::size_t n;
};
using Curve = std::map<std::int64_t, Row>;  // by warm-up calls

/// What the cases of a curve share, for people.
std::string curve_name(const scaling::Case& c) {
  std::string name = c.kernel;
  for (const char* parameter : {"ranks", "batch", "seq", "heads", "head_dim", "channels", "state", "causal", "pass", "dtype", "layout", "cache"})
    if (const auto it = c.params.find(parameter); it != c.params.end()) name += fmt::format(" {}={}", parameter, bench::to_text(it->second));
  return name;
}

std::string curve_key(const scaling::Case& c) { return c.kernel + ' ' + parameters_key(c, "warmup"); }

std::string time_text(double seconds, const TimeUnit& unit) { return fmt::format("{:.4g} {}", seconds * unit.per_second, unit.name); }

}  // namespace

Section warmup_section(const RunRecord& run, const Results& results) {
  std::map<std::string, std::pair<std::string, Curve>> curves;
  for (const CaseResult& result : results.cases) {
    const scaling::Case& c = run.cases[result.case_index];
    const auto warmup = c.params.find("warmup");
    if (warmup == c.params.end() || !result.timed()) continue;
    std::vector<double> samples;
    for (const std::size_t visit : result.visits)
      for (const double time : sample_times(run.visits[visit])) samples.push_back(time);
    auto& [name, curve] = curves[curve_key(c)];
    name = curve_name(c);
    curve[std::get<std::int64_t>(warmup->second)] = {moments_of(samples), samples.size()};
  }
  Section section{"warm-up", {{{"case"}, {"warm-up calls", true}, {"mean", true}, {"sd", true}, {"CV %", true}, {"to 5 calls", true}, {"n", true}}, {}},
                  "all samples, none left out; a difference to 5 calls that is smaller than sd / sqrt(n) is noise"};
  for (const auto& [key, named] : curves) {
    const auto& [name, curve] = named;
    const auto reference = curve.find(kReference);
    for (const auto& [calls, row] : curve) {
      const TimeUnit unit = time_unit_for(row.moments.mean);
      const std::string difference =
          reference == curve.end() ? "-" : fmt::format("{:+.1f} %", 100.0 * (row.moments.mean / reference->second.moments.mean - 1.0));
      section.table.rows.push_back({name, fmt::format("{}", calls), time_text(row.moments.mean, unit), time_text(row.moments.sd, unit),
                                    fmt::format("{:.1f}", 100.0 * row.moments.sd / row.moments.mean), difference, fmt::format("{}", row.n)});
    }
  }
  return section;
}

}  // namespace bench::analysis
