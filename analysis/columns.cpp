// SPDX-License-Identifier: Apache-2.0
#include "analysis/add_column.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "analysis/bus_bandwidth.hpp"
#include "analysis/halved_flops.hpp"

namespace bench::analysis {
namespace {

using Doubles = std::vector<double>;
using Ints = std::vector<std::int64_t>;
using Strings = std::vector<std::string>;

Strings outcome_names() { return {kOutcomeNames.begin(), kOutcomeNames.end()}; }

/// One column per parameter of any op of the run; a parameter has one type over all ops that share its name.
void add_params(std::vector<Column>& columns, const RunRecord& run) {
  std::map<std::string, Value> samples;
  for (const scaling::Case& c : run.cases)
    for (const auto& [name, v] : c.params) samples.emplace(name, v);
  for (const auto& [name, sample] : samples) {
    const auto get = [&, n = name](const scaling::Case& c) -> const Value* {
      const auto it = c.params.find(n);
      return it == c.params.end() ? nullptr : &it->second;
    };
    Column column{name, "", "parameter " + name, {}};
    if (std::holds_alternative<std::string>(sample)) {
      Strings values;
      for (const auto& c : run.cases) values.push_back(get(c) != nullptr ? bench::to_text(*get(c)) : "");
      column.values = std::move(values);
      column.parameter = "text";
    } else {  // booleans are 0 and 1
      Ints values;
      for (const auto& c : run.cases) {
        const Value* v = get(c);
        const bool* flag = v != nullptr ? std::get_if<bool>(v) : nullptr;
        values.push_back(v == nullptr ? kAbsent : flag != nullptr ? static_cast<std::int64_t>(*flag) : std::get<std::int64_t>(*v));
      }
      column.unit = "1";
      column.parameter = std::holds_alternative<bool>(sample) ? "bool" : "integer";
      column.values = std::move(values);
    }
    columns.push_back(std::move(column));
  }
}

/// One column per figure that any op of the run gives of its answers.
void add_figures(std::vector<Column>& columns, const std::vector<CaseResult>& rows) {
  std::map<std::string, std::string> units;
  for (const CaseResult& row : rows)
    for (const Figure& figure : row.figures) units.emplace(figure.name, figure.unit);
  for (const auto& [name, unit] : units)
    add(columns, concat(kFigurePrefix, name).c_str(), unit.c_str(), concat("figure ", name, " of the op's answer").c_str(), rows,
        [&, n = name](const CaseResult& row) {
          const auto it = std::ranges::find(row.figures, n, &Figure::name);
          return it == row.figures.end() ? kNone : it->value;
        });
}

}  // namespace

std::vector<Column> case_columns(const RunRecord& run, const Results& results) {
  std::vector<Column> columns;
  const auto& rows = results.cases;
  const auto of = [&](const CaseResult& r) -> const scaling::Case& { return run.cases[r.case_index]; };
  add(columns, "case", "", "case identity", rows, [&](const auto& r) { return of(r).id; });
  add(columns, "workload", "", "op", rows, [&](const auto& r) { return of(r).op; });
  add(columns, "kernel", "", "implementation", rows, [&](const auto& r) { return of(r).kernel; });
  add_params(columns, run);
  Flags status{{}, outcome_names()};
  for (const CaseResult& r : rows) status.values.push_back(static_cast<std::uint8_t>(r.outcome));
  columns.push_back({"status", "", "outcome of the case", std::move(status)});
  add(columns, "reason", "", "why the outcome is not ok", rows, [](const auto& r) { return r.reason; });
  const auto time = [](const CaseResult& r) { return r.n > 0 ? std::optional(r.time_s) : std::nullopt; };
  add(columns, "time", "s", "median over samples of the slowest rank's time of one call", rows, [&](const auto& r) { return value(time(r)); });
  add(columns, "time_lo", "s", "lower end of the interval of time", rows, [&](const auto& r) { return lo(time(r)); });
  add(columns, "time_hi", "s", "upper end of the interval of time", rows, [&](const auto& r) { return hi(time(r)); });
  add(columns, "n", "1", "samples", rows, [](const auto& r) { return r.n; });
  add(columns, "n_visits", "1", "visits", rows, [](const auto& r) { return r.n_visits; });
  add(columns, "stop_reason", "", "why sampling stopped", rows, [](const auto& r) { return r.stop_reason; });
  add(columns, "tau", "1", "integrated autocorrelation time in samples", rows, [](const auto& r) { return r.n > 0 ? r.tau : kNone; });
  add(columns, "flops", "FLOP", "floating-point operations of one call, all ranks", rows, [&](const auto& r) { return of(r).cost.flops; });
  add(columns, "bytes", "byte", "least memory traffic of one call, all ranks", rows, [&](const auto& r) { return of(r).cost.bytes; });
  add(columns, "bytes_written", "byte", "of those, written", rows, [&](const auto& r) { return of(r).cost.bytes_written; });
  add(columns, "exps", "1", "exponentials of one call, all ranks", rows, [&](const auto& r) { return of(r).cost.exps; });
  add(columns, "flops_per_s", "FLOP s-1", "flops / time", rows, [](const auto& r) { return positive(r.flops_per_s); });
  add(columns, "flops_per_s_halved", "FLOP s-1", "attention's rate as FlashAttention's benchmarks count: causal is half of all pairs", rows,
      [&](const auto& r) { return r.n > 0 && !r.part ? halved_flops(of(r)).value_or(kNone) / r.time_s.value : kNone; });
  add(columns, "bytes_per_s", "byte s-1", "bytes / time", rows, [](const auto& r) { return positive(r.bytes_per_s); });
  const auto bus = [&](const CaseResult& r) { return r.n > 0 ? bus_bandwidth(of(r), r.time_s.value).value_or(BusBandwidth{kNone, kNone}) : BusBandwidth{kNone, kNone}; };
  add(columns, "algbw", "byte s-1", "an exchange's size / time, as nccl-tests counts both", rows, [&](const auto& r) { return bus(r).algbw; });
  add(columns, "busbw", "byte s-1", "algbw times what a rank has to send of that size", rows, [&](const auto& r) { return bus(r).busbw; });
  add(columns, "limit", "", "resource whose measured rate bounds the op: compute, memory or exp", rows, [](const auto& r) { return r.limit; });
  add(columns, "limit_time", "s", "time at that bound", rows, [](const auto& r) { return positive(r.limit_s); });
  add(columns, "limit_fraction", "1", "limit_time / time", rows, [](const auto& r) { return positive(r.limit_fraction); });
  add(columns, "baseline", "", "implementation that speedup is taken over", rows, [&](const auto& r) { return of(r).baseline; });
  add(columns, "speedup", "1", "baseline time / time, same problem", rows, [](const auto& r) { return value(r.speedup); });
  add(columns, "speedup_lo", "1", "lower end of the interval of speedup", rows, [](const auto& r) { return lo(r.speedup); });
  add(columns, "speedup_hi", "1", "upper end of the interval of speedup", rows, [](const auto& r) { return hi(r.speedup); });
  add(columns, "speedup_p", "1", "p that speedup is 1, Welch on the visits, Holm over the table", rows, [](const auto& r) { return r.speedup_p; });
  add(columns, "hedges_g", "1", "effect size against the baseline; positive: slower", rows, [](const auto& r) { return r.hedges_g; });
  add(columns, "verdict", "", "against the baseline: faster, slower, same, ambiguous or insufficient", rows,
      [](const auto& r) { return r.verdict ? std::string(to_text(*r.verdict)) : std::string(); });
  add(columns, "error", "1", "largest deviation from the fp64 oracle over max|oracle|", rows, [](const auto& r) { return r.tolerance > 0.0 ? r.error : kNone; });
  add(columns, "tolerance", "1", "what rounding explains of it", rows, [](const auto& r) { return positive(r.tolerance); });
  add_figures(columns, rows);
  add(columns, "imbalance", "1", "mean over samples of slowest / mean rank - 1", rows, [](const auto& r) { return r.n > 0 ? r.imbalance : kNone; });
  add(columns, "start_skew", "s", "latest - earliest start of the ranks, median over samples", rows, [](const auto& r) { return r.start_skew_s.value_or(kNone); });
  add(columns, "n_left_out", "1", "samples flagged as warm-up, late or throttled: stored, not in time", rows, [](const auto& r) { return r.n_left_out; });
  add(columns, "peak_memory", "byte", "resident high-water of the fullest rank", rows, [](const auto& r) { return r.peak_memory_bytes > 0 ? static_cast<double>(r.peak_memory_bytes) : kNone; });
  add(columns, "device_memory", "byte", "high-water of what the program allocated on the device of the rank with most; NaN: no device", rows,
      [](const auto& r) { return positive(static_cast<double>(r.device_peak_bytes)); });
  add(columns, "enqueue", "s", "host time to queue one call on a device, the smallest of the visits' medians; NaN: no device", rows, [](const auto& r) { return positive(r.enqueue_s); });
  add(columns, "wire_bytes", "byte", "bytes sent by the busiest rank in one call", rows, [](const auto& r) { return r.wire_bytes; });
  add(columns, "wire_bytes_least", "byte", "bytes that each rank has to send at least, by the op's cost model", rows, [&](const auto& r) { return of(r).cost.wire_bytes; });
  add(columns, "isolation", "", "what may run beside it", rows, [&](const auto& r) { return std::string(of(r).isolation == scaling::Isolation::node ? "node" : "none"); });
  add(columns, "contended", "1", "1: neighbours changed its kernel's times, as the audit found, and it had some", rows, [](const auto& r) { return static_cast<std::int64_t>(r.contended); });
  add(columns, "functional_only", "1", "1: ranks shared a device: the answer was checked, and nothing was timed", rows, [](const auto& r) { return static_cast<std::int64_t>(r.functional_only); });
  add(columns, "oversubscribed", "1", "1: ranks shared cores, times mean little", rows, [](const auto& r) { return static_cast<std::int64_t>(r.oversubscribed); });
  return columns;
}

std::vector<Column> scaling_columns(const RunRecord& run, const Results& results) {
  std::vector<Column> columns;
  const auto& rows = results.scaling;
  const auto of = [&](const ScalingRow& r) -> const scaling::Case& { return run.cases[r.case_index]; };
  const auto result = [&](const ScalingRow& r) -> const CaseResult& { return results.cases[r.case_index]; };
  const auto time = [&](const ScalingRow& r) { return result(r).n > 0 ? std::optional(result(r).time_s) : std::nullopt; };
  add(columns, "point", "1", "row number", rows, [&](const auto& r) { return static_cast<std::int64_t>(&r - rows.data()); });
  add(columns, "study", "", "study/sweep", rows, [](const auto& r) { return r.tag.study; });
  add(columns, "mode", "", "strong, weak or throughput", rows, [](const auto& r) { return r.tag.mode; });
  add(columns, "by", "", "what grows with the ranks in a weak study", rows, [](const auto& r) { return r.tag.by; });
  add(columns, "series", "", "cases of one curve share it", rows, [](const auto& r) { return r.tag.series; });
  add(columns, "case", "", "case identity", rows, [&](const auto& r) { return of(r).id; });
  add(columns, "kernel", "", "implementation", rows, [&](const auto& r) { return of(r).kernel; });
  add(columns, "ranks", "1", "ranks p", rows, [&](const auto& r) { return of(r).ranks; });
  Flags status{{}, outcome_names()};
  for (const ScalingRow& r : rows) status.values.push_back(static_cast<std::uint8_t>(result(r).outcome));
  columns.push_back({"status", "", "outcome of the case", std::move(status)});
  add(columns, "base_ranks", "1", "ranks b of the base; 0 when none ran", rows, [](const auto& r) { return r.base_ranks; });
  add(columns, "base_wished", "1", "ranks wished for as the base; 0: the smallest that ran", rows, [](const auto& r) { return r.tag.base; });
  add(columns, "work", "FLOP", "work W of the point (bytes for an op without FLOPs)", rows, [](const auto& r) { return r.work; });
  add(columns, "time", "s", "time of the point", rows, [&](const auto& r) { return value(time(r)); });
  add(columns, "time_lo", "s", "lower end of the interval of time", rows, [&](const auto& r) { return lo(time(r)); });
  add(columns, "time_hi", "s", "upper end of the interval of time", rows, [&](const auto& r) { return hi(time(r)); });
  add(columns, "rate_per_rank", "FLOP s-1", "work / (ranks x time) (byte s-1 for an op without FLOPs)", rows, [](const auto& r) { return positive(r.rate_per_rank); });
  add(columns, "tokens_per_rank", "s-1", "batch x seq (x replicas) / (ranks x time)", rows, [](const auto& r) { return r.tokens_per_s_per_rank.value_or(kNone); });
  add(columns, "time_ratio", "1", "T_p / T_b", rows, [](const auto& r) { return value(r.time_ratio); });
  add(columns, "time_ratio_ideal", "1", "(W_p / p) / (W_b / b): what T_p / T_b is at efficiency 1", rows, [](const auto& r) { return r.time_ratio_ideal.value_or(kNone); });
  add(columns, "speedup", "1", "(W_p / T_p) / (W_b / T_b)", rows, [](const auto& r) { return value(r.speedup); });
  add(columns, "speedup_lo", "1", "lower end of the interval of speedup", rows, [](const auto& r) { return lo(r.speedup); });
  add(columns, "speedup_hi", "1", "upper end of the interval of speedup", rows, [](const auto& r) { return hi(r.speedup); });
  add(columns, "efficiency", "1", "(W_p / (p T_p)) / (W_b / (b T_b))", rows, [](const auto& r) { return value(r.efficiency); });
  add(columns, "efficiency_lo", "1", "lower end of the interval of efficiency", rows, [](const auto& r) { return lo(r.efficiency); });
  add(columns, "efficiency_hi", "1", "upper end of the interval of efficiency", rows, [](const auto& r) { return hi(r.efficiency); });
  add(columns, "superlinear", "1", "1: the whole interval of efficiency lies above 1", rows, [](const auto& r) { return static_cast<std::int64_t>(r.superlinear); });
  add(columns, "karp_flatt", "1", "(1/S - 1/r) / (1 - 1/r), strong studies", rows, [](const auto& r) { return r.karp_flatt.value_or(kNone); });
  const auto factor = [&](const char* name, const char* unit, const char* meaning, std::optional<double> Factors::*figure) {
    add(columns, name, unit, meaning, rows, [figure](const auto& r) { return (r.factors.*figure).value_or(kNone); });
  };
  factor("ideal", "1", "efficiency that closed forms and model allow: layout x modelled overlap / extra_work", &Factors::ideal);
  factor("layout", "1", "closed form: mean over ranks / busiest rank of the work", &Factors::layout);
  factor("shape", "1", "measured: one rank's rate on a rank's share / its rate on the base's", &Factors::shape);
  factor("overlap", "1", "compute / (compute and what of the exchange it cannot hide)", &Factors::overlap);
  add(columns, "overlap_kind", "", "measured (/overlaps), or model: from the limits of the link", rows,
      [](const auto& r) { return std::string(!r.factors.overlap ? "" : r.factors.overlap_measured ? "measured" : "model"); });
  factor("skew", "1", "measured: mean over ranks / slowest rank of their own times", &Factors::skew);
  factor("extra_work", "1", "closed form: what all ranks do over what one rank would do", &Factors::extra_work);
  factor("remainder", "1", "efficiency / the product of the known factors", &Factors::remainder);
  factor("wire_bytes_ideal", "byte", "closed form: bytes that the busiest rank sends in one call", &Factors::wire_bytes);
  factor("knee_ranks", "1", "model: ranks beyond which a hop of the ring takes longer than a step", &Factors::knee_ranks);
  add(columns, "wire_bytes", "byte", "bytes sent by the busiest rank in one call", rows, [&](const auto& r) { return result(r).n > 0 ? static_cast<double>(result(r).wire_bytes) : kNone; });
  add(columns, "note", "", "why a figure is missing", rows, [](const auto& r) { return r.note; });
  return columns;
}

std::vector<Column> fit_columns(const std::vector<FitRow>& rows) {
  std::vector<Column> columns;
  const auto fitted = [](const FitRow& r) { return r.curve.fit.rung != nullptr; };
  const auto ahead = [](const FitRow& r) { return r.curve.predictions.empty() ? nullptr : &r.curve.predictions.front(); };
  const auto ahead_time = [ahead](const FitRow& r) { return ahead(r) != nullptr ? std::optional(ahead(r)->time_s) : std::nullopt; };
  add(columns, "fit", "1", "row number", rows, [&](const auto& r) { return static_cast<std::int64_t>(&r - rows.data()); });
  add(columns, "study", "", "study/sweep", rows, [](const auto& r) { return r.tag.study; });
  add(columns, "mode", "", "strong, weak or throughput", rows, [](const auto& r) { return r.tag.mode; });
  add(columns, "by", "", "what grows with the ranks in a weak study", rows, [](const auto& r) { return r.tag.by; });
  add(columns, "series", "", "curve, as in /scaling", rows, [](const auto& r) { return r.tag.series; });
  add(columns, "kernel", "", "implementation", rows, [](const auto& r) { return r.kernel; });
  add(columns, "model", "", "terms of T(p) = a + b/p + c log2 p + d (p - 1); empty: not fitted", rows, [](const auto& r) { return r.model; });
  add(columns, "n_points", "1", "rank counts with a time", rows, [](const auto& r) { return r.n_points; });
  for (std::size_t j = 0; j < kTimeTerms; ++j) {
    const std::string name(1, "abcd"[j]);
    const std::string meaning = std::array{"time that no rank shares", "time that all ranks share", "time a doubling of the ranks adds", "time each further rank adds"}[j];
    const auto estimate = [=](const FitRow& r) { return fitted(r) ? std::optional(Estimate{r.curve.fit.terms[j], r.curve.interval[j]}) : std::nullopt; };
    add(columns, name.c_str(), "s", meaning.c_str(), rows, [&](const auto& r) { return value(estimate(r)); });
    add(columns, (name + "_lo").c_str(), "s", ("lower end of the interval of " + name).c_str(), rows, [&](const auto& r) { return lo(estimate(r)); });
    add(columns, (name + "_hi").c_str(), "s", ("upper end of the interval of " + name).c_str(), rows, [&](const auto& r) { return hi(estimate(r)); });
  }
  add(columns, "aicc", "1", "corrected Akaike criterion of the relative errors", rows, [&](const auto& r) { return fitted(r) ? r.curve.fit.aicc : kNone; });
  add(columns, "relative_sd", "1", "typical distance of a point from the curve over the curve", rows, [&](const auto& r) { return fitted(r) ? r.curve.fit.relative_sd : kNone; });
  add(columns, "serial_fraction", "1", "a / (a + b), strong studies", rows, [](const auto& r) { return r.serial_fraction.value_or(kNone); });
  add(columns, "peak_ranks", "1", "ranks at which time is least; NaN when it falls for ever", rows, [](const auto& r) { return r.peak_ranks.value_or(kNone); });
  add(columns, "predicted_ranks", "1", "twice the largest rank count", rows, [&](const auto& r) { return ahead(r) != nullptr ? ahead(r)->ranks : kNone; });
  add(columns, "predicted", "s", "time foretold for predicted_ranks, never measured", rows, [&](const auto& r) { return value(ahead_time(r)); });
  add(columns, "predicted_lo", "s", "lower end of the band of predicted", rows, [&](const auto& r) { return lo(ahead_time(r)); });
  add(columns, "predicted_hi", "s", "upper end of the band of predicted", rows, [&](const auto& r) { return hi(ahead_time(r)); });
  const auto out = [](const FitRow& r) -> const HoldOut* { return r.curve.hold_out ? &*r.curve.hold_out : nullptr; };
  add(columns, "holdout_model", "", "model of all points but the largest rank count", rows, [&](const auto& r) { return out(r) != nullptr ? out(r)->model : std::string(); });
  add(columns, "holdout_error", "1", "what that model foretells for it / its time - 1", rows, [&](const auto& r) { return out(r) != nullptr ? out(r)->error : kNone; });
  add(columns, "holdout_inside", "1", "1: its time lies in the band foretold, 0: it does not", rows,
      [&](const auto& r) { return out(r) != nullptr && out(r)->inside ? static_cast<std::int64_t>(*out(r)->inside) : kAbsent; });
  const auto usl = [](const FitRow& r, std::size_t j) { return r.usl ? std::optional(usl_estimates(*r.usl, r.confidence)[j]) : std::nullopt; };
  const std::array<std::array<const char*, 3>, 3> laws{{{"usl_rate", "s-1", "throughput of one rank g (work s-1)"},
                                                        {"usl_contention", "1", "contention s"},
                                                        {"usl_coherence", "1", "coherence k"}}};
  for (std::size_t j = 0; j < laws.size(); ++j) {
    const auto& [name, unit, meaning] = laws[j];
    add(columns, name, unit, concat(meaning, " of the universal scalability law").c_str(), rows, [&](const auto& r) { return value(usl(r, j)); });
    add(columns, concat(name, "_lo").c_str(), unit, concat("lower end of the interval of ", name).c_str(), rows, [&](const auto& r) { return lo(usl(r, j)); });
    add(columns, concat(name, "_hi").c_str(), unit, concat("upper end of the interval of ", name).c_str(), rows, [&](const auto& r) { return hi(usl(r, j)); });
  }
  add(columns, "usl_peak_ranks", "1", "ranks at which that law's throughput is highest; NaN: it rises for ever", rows,
      [](const auto& r) { return r.usl ? usl_peak(*r.usl).value_or(kNone) : kNone; });
  add(columns, "note", "", "why it is not fitted, what else fits, which points it lacks", rows, [](const auto& r) { return r.note; });
  return columns;
}

std::vector<Column> limit_columns(const RunRecord& run) {
  std::vector<Column> columns;
  add(columns, "ranks", "1", "ranks that measured together", run.limits, [](const auto& l) { return l.first.ranks; });
  add(columns, "threads", "1", "threads of each of them", run.limits, [](const auto& l) { return l.first.threads; });
  add(columns, "device", "1", "1: of the ranks' devices, 0: of their threads", run.limits, [](const auto& l) { return static_cast<std::int64_t>(l.first.device); });
  add(columns, "fp32", "FLOP s-1", "fp32 multiply-add rate; of a device, of a matrix product", run.limits, [](const auto& l) { return l.second.fp32_flops_per_s; });
  add(columns, "bf16", "FLOP s-1", "bf16 rate: dot product or fp32, the higher; of a device, of a matrix product", run.limits, [](const auto& l) { return l.second.bf16_flops_per_s; });
  add(columns, "fp16", "FLOP s-1", "fp16 rate of a device's matrix product; 0: not measured", run.limits, [](const auto& l) { return l.second.fp16_flops_per_s; });
  add(columns, "fp64", "FLOP s-1", "fp64 multiply-add rate", run.limits, [](const auto& l) { return l.second.fp64_flops_per_s; });
  add(columns, "exp", "s-1", "polynomial exponentials; of a device, ex2.approx", run.limits, [](const auto& l) { return l.second.exps_per_s; });
  for (std::size_t i = 0; i < kTriadBytes.size(); ++i) {
    const std::string size = concat(kTriadBytes[i] >> 10, "k"), of = concat(" ", kTriadBytes[i] >> 10, " KiB per thread");
    add(columns, concat("triad_", size).c_str(), "byte s-1", concat("triad over", of).c_str(), run.limits, [i](const auto& l) { return l.second.triad_bytes_per_s[i]; });
    add(columns, concat("read_", size).c_str(), "byte s-1", concat("reading", of).c_str(), run.limits, [i](const auto& l) { return l.second.read_bytes_per_s[i]; });
  }
  add(columns, "link_latency", "s", "exchange of almost nothing with both neighbours of a ring", run.limits, [](const auto& l) { return l.second.link_latency_s; });
  add(columns, "link", "byte s-1", "sent by each rank of a ring while it receives as many", run.limits, [](const auto& l) { return l.second.link_bytes_per_s; });
  return columns;
}

}  // namespace bench::analysis
