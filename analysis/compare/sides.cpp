// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare/sides.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>
#include <utility>

#include "analysis/compare/foreign_json.hpp"
#include "analysis/compare/google_benchmark_json.hpp"
#include "analysis/compare/hf_v2_json.hpp"
#include "analysis/compare/hyperfine_json.hpp"
#include "analysis/compare/merge_sides.hpp"
#include "analysis/compare/run_side.hpp"
#include "analysis/store.hpp"

namespace bench::analysis {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHdf5Signature("\x89HDF\r\n\x1a\n", 8);

/// A side of one file, and the run it holds when it is ours.
struct Launch {
  Side side;
  std::string run_id;
};

struct Format {
  const char* name;
  bool (*fits)(const nlohmann::json&);
  Side (*read)(const nlohmann::json&);
};
/// In this order: HF's is told by its members' members, the others by names of their own.
constexpr std::array<Format, 3> kFormats{
    {{"Google Benchmark JSON", is_google_benchmark, google_benchmark_side},
     {"hyperfine JSON", is_hyperfine, hyperfine_side},
     {"HF benchmark_v2 JSON", is_hf_v2, hf_v2_side}}};

Side json_side(const std::string& text) {
  constexpr const char* kExpected =
      "expected a results.h5, or JSON of Google Benchmark (benchmarks), hyperfine (results) or HF "
      "benchmark_v2 (benchmark_scenarios)";
  nlohmann::json document;
  try {
    document = parse_foreign(text);
  } catch (const Error& error) {
    throw Error(ErrorKind::io, concat("it is not HDF5, and ", error.what(), "; ", kExpected));
  }
  const auto* const format =
      std::ranges::find_if(kFormats, [&](const Format& one) { return one.fits(document); });
  if (format == kFormats.end())
    throw Error(ErrorKind::io, concat("it is JSON of an unknown form; ", kExpected));
  Side side;
  read_within(concat("as ", format->name), [&] { side = format->read(document); });
  return side;
}

Launch read_json_file(const fs::path& path, std::ifstream& in, std::string head) {
  Launch launch;
  read_within(concat("cannot read '", path.string(), "'"), [&] {
    head.append(std::istreambuf_iterator<char>(in), {});
    if (in.bad()) throw Error(ErrorKind::io, "reading failed");
    launch.side = json_side(head);
  });
  return launch;
}

Launch read_launch(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(ErrorKind::io, concat("cannot read '", path.string(), "': it cannot be opened"));
  std::string head(kHdf5Signature.size(), '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(in.gcount()));
  if (head != kHdf5Signature) return read_json_file(path, in, std::move(head));
  const RunRecord run = read_store(path);
  Launch launch{{}, run.run_id};
  read_within(concat("cannot read '", path.string(), "'"), [&] { launch.side = run_side(run); });
  return launch;
}

bool is_hidden(const fs::path& path) {
  return path.filename().string().starts_with('.');
}

std::vector<fs::path> results_below(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error, unused;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (is_hidden(it->path()))
      it.disable_recursion_pending();
    else if (it->path().filename() == "results.h5" && !it->is_directory(unused))
      found.push_back(it->path());
  }
  if (error) throw Error(ErrorKind::io, concat("cannot list '", folder.string(), "': ", error.message()));
  std::ranges::sort(found);
  return found;
}

std::vector<fs::path> expanded(const std::vector<fs::path>& arguments) {
  std::vector<fs::path> files;
  for (const fs::path& argument : arguments) std::ranges::copy(files_of(argument), std::back_inserter(files));
  if (files.empty()) usage_error("a side of a comparison needs a file or a folder");
  return files;
}

/// Remembers where a launch came from; usage error when it came before.
void note(std::map<std::string, std::string>& seen, const std::string& what, const fs::path& path,
          const char* said) {
  if (const auto [it, is_new] = seen.emplace(what, path.string()); !is_new)
    usage_error(concat("'", path.string(), "' ", said, " '", it->second, "': a launch counts once"));
}

}  // namespace

std::vector<fs::path> files_of(const fs::path& argument) {
  std::error_code error;
  const fs::file_status status = fs::status(argument, error);
  if (!fs::exists(status))
    usage_error(concat("'", argument.string(), "' does not exist; give a results file or a folder of them"));
  if (!fs::is_directory(status)) return {argument};
  std::vector<fs::path> found = results_below(argument);
  if (found.empty()) usage_error(concat("the folder '", argument.string(), "' has no results.h5 below it"));
  return found;
}

Side read_side(const std::vector<fs::path>& files) {
  std::map<std::string, std::string> paths, runs;
  std::vector<Side> launches;
  const std::vector<fs::path> all = expanded(files);
  for (const fs::path& path : all) {
    std::error_code error;
    const fs::path canonical = fs::canonical(path, error);
    note(paths, error ? path.string() : canonical.string(), path, "is the same file as");
    Launch launch = read_launch(path);
    if (!launch.run_id.empty()) note(runs, launch.run_id, path, "holds the same run as");
    launches.push_back(std::move(launch.side));
  }
  Side side = merge_sides(launches);
  side.label = files.front().string();
  if (files.size() > 1) side.label += concat(" and ", files.size() - 1, " more");
  return side;
}

}  // namespace bench::analysis
