// SPDX-License-Identifier: Apache-2.0
// The command lines of the verbs that read results: compare and gate.
#pragma once

#include <string>
#include <vector>

#include "analysis/compare/comparison.hpp"

namespace CLI {
class App;
}

namespace bench::cli {

struct CompareOptions {
  std::vector<std::string> sides;  // the base first; each a file, a folder, or several with commas between
  std::string policy;              // gate, and criteria for compare; a file, may be empty
  double margin = 0.02, alpha = 0.05, confidence = 0.95;
  int min_launches = 3;
  std::string correction = "holm";
  bool across_environments = false;
  std::string junit, markdown;     // gate: files to write; empty: none

  analysis::CompareRule rule() const;
};

/// The subcommands; parse() of `app` fills the options.
CLI::App* add_compare_verb(CLI::App& app, CompareOptions& options);
CLI::App* add_gate_verb(CLI::App& app, CompareOptions& options);

}  // namespace bench::cli
