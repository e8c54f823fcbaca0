// SPDX-License-Identifier: Apache-2.0
#include "src/cli/read_side.hpp"

#include <filesystem>
#include <iostream>
#include <sstream>
#include <vector>

#include "analysis/compare/sides.hpp"
#include "src/core/error.hpp"

namespace bench::cli {

analysis::Side side_of(const std::string& argument) {
  namespace fs = std::filesystem;
  std::vector<fs::path> files;
  const auto add = [&](const std::string& part) {
    for (const fs::path& file : analysis::files_of(part)) files.push_back(file);
  };
  std::error_code ignored;
  if (fs::exists(argument, ignored) || argument.find(',') == std::string::npos) {
    add(argument);
  } else {
    std::istringstream parts(argument);
    for (std::string part; std::getline(parts, part, ',');) add(part);
  }
  analysis::Side side = analysis::read_side(files);
  side.label = argument;
  return side;
}

void require_one_environment(const analysis::Comparison& comparison, bool allowed) {
  if (comparison.environment_differences.empty()) return;
  std::string text = concat("'", comparison.old_label, "' and '", comparison.new_label, "' were not measured under the same conditions:");
  for (const std::string& line : comparison.environment_differences) text += "\n  " + line;
  if (!allowed) usage_error(text + "\n--across-env compares them all the same");
  std::cerr << "bench_scale: warning: " << text << '\n';
}

}  // namespace bench::cli
