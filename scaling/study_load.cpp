// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "scaling/nearest.hpp"
#include "scaling/settings.hpp"
#include "scaling/study.hpp"
#include "scaling/value.hpp"
#include "scaling/yaml_cursor.hpp"

namespace bench::scaling {
namespace {

namespace fs = std::filesystem;

/// Names of the *.yaml files in the folder, sorted; none when it cannot be read.
std::vector<std::string> built_in_studies(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  std::ranges::sort(names);
  return names;
}

/// The file's text, or one byte more than a study may have, so that the parser refuses it.
std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  char buffer[4096];
  while (file && text.size() <= YamlCursor::kMaxBytes) {
    file.read(buffer, sizeof buffer);
    text.append(buffer, static_cast<std::size_t>(file.gcount()));
  }
  if (file.bad() || (text.empty() && !fs::is_regular_file(path)))
    throw Error(ErrorKind::io, concat("study ", show(path), " cannot be read"));
  return text;
}

}  // namespace

Study load_study(const std::string& name_or_path, const std::string& studies_dir) {
  const std::vector<std::string> built_in = built_in_studies(studies_dir);
  if (std::ranges::find(built_in, name_or_path) != built_in.end())
    return parse_study(read_text((fs::path(studies_dir) / (name_or_path + ".yaml")).string()),
                       name_or_path + ".yaml");
  std::error_code ignored;
  if (fs::exists(name_or_path, ignored)) {
    if (fs::is_directory(name_or_path, ignored))
      usage_error(concat("study ", show(name_or_path), " is a folder, not a file"));
    Study study = parse_study(read_text(name_or_path), name_or_path);
    // A path within a study is meant from where the study is, not from where the program was started.
    if (!study.policy.empty()) study.policy = (fs::absolute(name_or_path).parent_path() / study.policy).lexically_normal().string();
    return study;
  }
  usage_error(concat("study ", show(name_or_path), " is neither a file nor a built-in study; built in: ",
                     built_in.empty() ? concat("none found in ", studies_dir) : join(built_in),
                     suggestion(name_or_path, built_in)));
}

}  // namespace bench::scaling
