// SPDX-License-Identifier: Apache-2.0
#include "src/cli/torch_places.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <regex>
#include <sstream>
#include <system_error>

namespace bench::cli {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

/// The non-empty parts of a list such as PATH.
std::vector<fs::path> parts_of(const std::string& list) {
  std::vector<fs::path> parts;
  std::istringstream words(list);
  for (std::string word; std::getline(words, word, ':');)
    if (!word.empty()) parts.emplace_back(word);
  return parts;
}

class Search {
 public:
  /// Packages in `folder`, such as site-packages.
  void packages(const fs::path& folder) {
    const fs::path libraries = torch_libraries_in(folder / "torch");
    if (!libraries.empty() && std::ranges::find(found_, libraries) == found_.end()) found_.push_back(libraries);
  }
  /// Packages of every Python 3 below `prefix`, as an environment or a system has them.
  void prefix(const fs::path& prefix) {
    std::error_code code;
    if (prefix.empty()) return;
    for (const auto& entry : fs::directory_iterator(prefix / "lib", code))
      if (entry.path().filename().string().starts_with("python3"))
        for (const char* kind : {"site-packages", "dist-packages"}) packages(entry.path() / kind);
  }
  std::vector<fs::path> found() && { return std::move(found_); }
  bool empty() const { return found_.empty(); }

 private:
  std::vector<fs::path> found_;
};

/// What python3 would import, without importing it; nothing when there is no python3 or it has none.
fs::path asked_of_python() {
  constexpr const char* kQuestion =
      "python3 -c 'import importlib.util as u; s = u.find_spec(\"torch\"); print(s.submodule_search_locations[0] if s else \"\")' 2>/dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(kQuestion, "r"), pclose);
  if (!pipe) return {};
  std::array<char, 4096> line{};
  if (std::fgets(line.data(), static_cast<int>(line.size()), pipe.get()) == nullptr) return {};
  const std::string folder(line.data());
  return folder.substr(0, folder.find('\n'));
}

}  // namespace

fs::path torch_libraries_in(const fs::path& named) {
  std::error_code code;
  for (const fs::path& folder : {named / "lib", named})
    if (!named.empty() && fs::exists(folder / "libtorch_cpu.so", code)) return fs::absolute(folder, code).lexically_normal();
  return {};
}

std::vector<fs::path> torch_libraries_of_python() {
  Search search;
  search.prefix(variable("VIRTUAL_ENV"));
  search.prefix(variable("CONDA_PREFIX"));
  for (const fs::path& entry : parts_of(variable("PYTHONPATH"))) search.packages(entry);
  std::error_code code;
  for (const fs::path& folder : parts_of(variable("PATH"))) {
    if (!fs::exists(folder / "python3", code)) continue;
    search.prefix(folder.parent_path());  // an environment's own, then that of the Python it was made with
    search.prefix(fs::canonical(folder / "python3", code).parent_path().parent_path());
  }
  if (const std::string home = variable("HOME"); !home.empty()) search.prefix(fs::path(home) / ".local");
  for (const char* prefix : {"/usr/local", "/usr", "/opt/conda"}) search.prefix(prefix);
  if (search.empty())
    if (const fs::path folder = asked_of_python(); !folder.empty()) search.packages(folder.parent_path());
  return std::move(search).found();
}

std::string torch_version(const fs::path& libraries) {
  for (const char* name : {"version.py", "build-version"}) {
    std::ifstream file(libraries.parent_path() / name);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    std::smatch match;
    if (std::regex_search(text, match, std::regex(R"(\d+\.\d+\.\d+[0-9A-Za-z.+]*)"))) return match.str();
  }
  return {};
}

}  // namespace bench::cli
