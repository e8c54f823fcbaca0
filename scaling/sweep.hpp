// SPDX-License-Identifier: Apache-2.0
// What every sweep has to satisfy, whether it came from a file or was changed by the command line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/problem.hpp"
#include "scaling/study.hpp"

namespace bench::scaling {

/// Rank counts from a range text, in the order written; a usage error unless all are integers from 1 to 2^20.
std::vector<std::int64_t> parse_ranks(const std::string& text);

/// What a scaling study is called on the command line, in a study file and in tables: strong, weak:batch, weak:tokens,
/// weak:flops, throughput.
const std::vector<std::string>& scaling_words();
/// mode and by of such a word, no ranks yet; a usage error with the nearest word when it is none.
ScalingSpec parse_scaling(const std::string& word);
/// The word back: "weak:flops".
std::string scaling_word(const std::string& mode, const std::string& by);

/// Usage error when mode, by, ranks or base is not what study.hpp says.
void check_scaling(const ScalingSpec& scaling);

/// The axes with every parameter of the op that nothing sets at its default underneath.
AxisSpec with_defaults(const Op& op, const AxisSpec& axes);

/// Checks that need no point: `check_scaling`, `ranks` set twice, the names and expressions of the clauses
/// (see axes.hpp).
void check_sweep(const Sweep& sweep);

/// Usage error unless `name` is an integer parameter of the op.
void require_integer_param(const Op& op, const std::string& name);

/// Usage error when the sweep's crossover names no other sweep of the study, or a parameter that the other's op has not.
void check_crossover(const Sweep& sweep, const std::vector<Sweep>& all);

}  // namespace bench::scaling
