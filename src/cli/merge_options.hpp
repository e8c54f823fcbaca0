// SPDX-License-Identifier: Apache-2.0
// The command line of merge.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace bench::cli {

struct MergeOptions {
  std::vector<std::string> inputs;  // run folders, folders of them, journals, results.h5
};

/// The subcommand; parse() of `app` fills the options.
CLI::App* add_merge_verb(CLI::App& app, MergeOptions& options);

}  // namespace bench::cli
