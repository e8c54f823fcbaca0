// SPDX-License-Identifier: Apache-2.0
#include "src/cli/compare_options.hpp"

#include <CLI/CLI.hpp>

namespace bench::cli {
namespace {

void add_rule_flags(CLI::App& verb, CompareOptions& options) {
  verb.add_option("--margin", options.margin, "differences up to this share count as the same")->check(CLI::Range(1e-6, 10.0))->capture_default_str();
  verb.add_option("--alpha", options.alpha, "level of the adjusted p")->check(CLI::Range(1e-6, 0.5))->capture_default_str();
  verb.add_option("--confidence", options.confidence, "of the intervals shown")->check(CLI::Range(0.5, 0.9999))->capture_default_str();
  verb.add_option("--min-launches", options.min_launches, "a side, for a verdict")->check(CLI::Range(3, 1000))->capture_default_str();
  verb.add_option("--correction", options.correction, "of the p values over the table: holm or bh")->check(CLI::IsMember({"holm", "bh"}))->capture_default_str();
  verb.add_flag("--across-env", options.across_environments, "compare although the machines or builds differ");
}

}  // namespace

analysis::CompareRule CompareOptions::rule() const {
  return {.verdict = {.margin = margin, .alpha = alpha, .confidence = confidence, .min_launches = min_launches},
          .correction = correction == "bh" ? analysis::Correction::benjamini_hochberg : analysis::Correction::holm};
}

CLI::App* add_compare_verb(CLI::App& app, CompareOptions& options) {
  CLI::App* verb = app.add_subcommand("compare", "compare results: BASE NEW [NEW ...], each a file, a folder of launches, or files with commas between");
  verb->add_option("sides", options.sides, "BASE NEW [NEW ...]: our HDF5, or JSON of Google Benchmark, hyperfine or HF benchmark_v2")->required()->expected(2, 64);
  verb->add_option("--policy", options.policy, "YAML file: margin, levels and validation criteria (docs/gate.md)")->check(CLI::ExistingFile);
  add_rule_flags(*verb, options);
  return verb;
}

CLI::App* add_gate_verb(CLI::App& app, CompareOptions& options) {
  CLI::App* verb = app.add_subcommand("gate", "exit 1 when NEW is slower than BASE or fails a criterion");
  verb->add_option_function<std::string>("-b,--base", [&options](const std::string& base) { options.sides.insert(options.sides.begin(), base); },
                                         "file or folder to hold the new results against")->required();
  verb->add_option_function<std::string>("new", [&options](const std::string& now) { options.sides.push_back(now); }, "the new results")->required();
  verb->add_option("--policy", options.policy, "YAML file (docs/gate.md)")->check(CLI::ExistingFile);
  verb->add_option("--junit", options.junit, "write JUnit XML here");
  verb->add_option("--markdown", options.markdown, "write a Markdown comment here");
  verb->add_flag("--across-env", options.across_environments, "compare although the machines or builds differ");
  return verb;
}

}  // namespace bench::cli
