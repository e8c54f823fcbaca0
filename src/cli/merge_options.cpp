// SPDX-License-Identifier: Apache-2.0
#include "src/cli/merge_options.hpp"

#include <CLI/CLI.hpp>

namespace bench::cli {

CLI::App* add_merge_verb(CLI::App& app, MergeOptions& options) {
  CLI::App* verb = app.add_subcommand("merge", "several runs as one: -o DIR IN [IN ...]");
  verb->add_option("in", options.inputs, "run folders (or folders of them), journal.jsonl or results.h5 files")->required()->expected(1, 1 << 20);
  return verb;
}

}  // namespace bench::cli
