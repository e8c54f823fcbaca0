// SPDX-License-Identifier: Apache-2.0
// Why a scaling efficiency is what it is: E = layout * shape * overlap * skew / extra work * remainder. Each
// factor is that of the point over that of its base, so 1 means that nothing was lost there. What is not
// known is left out of the product, and so part of the remainder, which is never folded away.
// docs/metrics.md, "What scaling loses", derives each.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "analysis/ideal.hpp"
#include "analysis/record.hpp"

namespace bench::analysis {

struct CaseResult;
struct Results;

struct Factors {
  std::optional<double> layout;   // closed form: mean / busiest rank's work
  std::optional<double> shape;    // measured: rate of one rank on a rank's share over its rate on the base's
  std::optional<double> overlap;  // compute / (compute and what of the exchange it cannot hide): measured (overlaps.hpp) or, from the limits, modelled
  bool overlap_measured = false;
  std::optional<double> skew;     // measured: mean over ranks / slowest rank of the ranks' own times
  /// Closed form c of the point, 1 but for two-pass scans; the factor is c of the base / c.
  std::optional<double> extra_work;
  std::optional<double> ideal;       // layout / extra work * the modelled overlap: what closed forms and model allow
  std::optional<double> remainder;   // efficiency / all of the above that are known
  std::optional<double> wire_bytes;  // closed form, to be held against CaseResult::wire_bytes
  std::optional<double> knee_ranks;  // model: beyond so many ranks a hop takes longer than a step
};

/// Mean over the samples that count of mean_r x_ir / max_r x_ir; 1 on one rank.
double rank_balance(const VisitRecord& visit);

/// Looks up what a run measured on one rank. Keeps references to both arguments; `results.cases` must be
/// complete.
class FactorModel {
 public:
  FactorModel(const RunRecord& run, const Results& results);
  /// Factors of case `point` over case `base`, given the measured efficiency of the one over the other. Both
  /// have times.
  Factors factors(std::size_t base, std::size_t point, double efficiency) const;

 private:
  struct Part;
  Part part(std::size_t index, double otherwise_flops_per_s) const;
  std::optional<double> rate_alone(std::size_t index) const;
  std::optional<double> measured_overlap(std::size_t index) const;

  const RunRecord& run_;
  const Results& results_;
  std::map<std::size_t, double> computes_;  // share of a case's time that it computes, where that was timed alone
  std::map<std::string, double> alone_;  // FLOP/s of the measured one-rank cases, by kernel and parameters
};

}  // namespace bench::analysis
