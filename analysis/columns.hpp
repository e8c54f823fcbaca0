// SPDX-License-Identifier: Apache-2.0
// The one list of columns: name, unit, meaning, values. It drives the dimension-scaled groups, the compound tables and every export, so that
// a figure has one definition (docs/metrics.md) and one name.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "analysis/fits/fit_rows.hpp"
#include "analysis/results.hpp"

namespace bench::analysis {

/// A byte per row with a name per value: flag_values and flag_meanings of the CF conventions.
struct Flags {
  std::vector<std::uint8_t> values;
  std::vector<std::string> meanings;
};

struct Column {
  std::string name;
  std::string unit;       // s, 1, FLOP, FLOP s-1, byte, byte s-1; empty for text and flags
  std::string long_name;
  std::variant<std::vector<double>, std::vector<std::int64_t>, std::vector<std::string>, Flags> values;
  std::string parameter{};  // for a case's parameter its type, bool, integer or text: an attribute of that name says so to readers
};

/// Rows of /cases: one per case of the run. Parameters that an op does not have are kAbsent, NaN or "".
inline constexpr std::int64_t kAbsent = INT64_MIN;
std::vector<Column> case_columns(const RunRecord& run, const Results& results);

/// Columns of ops' own figures are named with this before the figure's name.
inline constexpr const char* kFigurePrefix = "figure_";

/// Rows of /scaling: one per point of a curve.
std::vector<Column> scaling_columns(const RunRecord& run, const Results& results);

/// Rows of /winners: one per problem that two or more kernels were measured on.
std::vector<Column> winner_columns(const RunRecord& run, const Results& results);

/// Rows of /crossovers: one per crossover that the study asks for.
std::vector<Column> crossover_columns(const RunRecord& run, const Results& results);

/// Rows of /fits: one per scaling curve.
std::vector<Column> fit_columns(const std::vector<FitRow>& rows);

/// Rows of /visits: one per visit, failed ones too, in the order they ended.
std::vector<Column> visit_columns(const RunRecord& run);

/// Rows of /telemetry: one per reading of the optional thread, a column per figure that any reading has.
std::vector<Column> telemetry_columns(const RunRecord& run);

/// Rows of /overlaps: one per call of which a part was timed, too.
std::vector<Column> overlap_columns(const RunRecord& run, const Results& results);

/// Rows of /samples: one per sample, over all ranks of its block.
std::vector<Column> sample_columns(const RunRecord& run, const Results& results);
/// Rows of /rank_samples: one per sample and rank.
std::vector<Column> rank_sample_columns(const RunRecord& run);

/// Rows of /limits: one per block width.
std::vector<Column> limit_columns(const RunRecord& run);

}  // namespace bench::analysis
