// SPDX-License-Identifier: Apache-2.0
// hyperfine's --export-json: {"results": [{"command", "times", "exit_codes", "mean", "median", ...}]}.
#pragma once

#include <nlohmann/json.hpp>

#include "analysis/compare/side.hpp"

namespace bench::analysis {

bool is_hyperfine(const nlohmann::json& document);

/// Every time is that of a process of its own, so every time is a launch; without `times` (their export can
/// be left out) the median, else the mean, is one. The key is the command with its parameters behind it,
/// [name=value]: a parameter can be used in --prepare alone, and then two entries have the same command and
/// measure different things. Entries with the same key are further launches of one command. An exit code
/// other than 0, or none (ended by a signal), is a crash and leaves the entry without times. Side::launches
/// is that of the command with the most. The file says nothing of the machine: no environment. Error(io) that
/// names entry and field for what is not of this form.
Side hyperfine_side(const nlohmann::json& document);

}  // namespace bench::analysis
