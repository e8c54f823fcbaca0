// SPDX-License-Identifier: Apache-2.0
#include "src/cli/torch_plugin.hpp"

#include <dlfcn.h>
#include <link.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "gated_kernels.hpp"
#include "kernels/kernel.hpp"
#include "src/cli/torch_places.hpp"

namespace bench::cli {
namespace {

namespace fs = std::filesystem;

std::string last_reason() {
  const char* why = dlerror();
  return why != nullptr ? why : "no reason given";
}

void* open(const fs::path& library) { return dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL); }

/// The folder that a library was loaded from.
fs::path folder_of(void* library) {
  link_map* entry = nullptr;
  if (library == nullptr || dlinfo(library, RTLD_DI_LINKMAP, &entry) != 0) return {};
  return fs::path(entry->l_name).parent_path();
}

/// The library that the dynamic linker says it cannot find; empty when it says something else.
std::string missing_library(const std::string& reason) {
  const auto end = reason.find(": cannot open shared object file");
  return end == std::string::npos ? "" : reason.substr(0, end);
}

/// LibTorch has no stable interface for C++: code that was compiled for one minor version must not meet another, even where all names are found.
std::string wrong_version(const fs::path& folder) {
  const std::string version = torch_version(folder), built = BENCH_SCALE_TORCH_VERSION;
  const auto minor = [](const std::string& text) { return text.substr(0, text.find('.', text.find('.') + 1)); };
  if (version.empty() || built.empty() || minor(version) == minor(built)) return {};
  return concat(folder.string(), " is version ", version, ", the plug-in was built for ", built);
}

/// Loads the plug-in with LibTorch's libraries from `folder`. Empty when that worked; else why not.
std::string load_with(const fs::path& plugin, const fs::path& folder) {
  if (const std::string wrong = wrong_version(folder); !wrong.empty()) return wrong;
  if (open(folder / "libtorch_cpu.so") == nullptr) return last_reason();
  constexpr int kLibraries = 16;  // that the plug-in may name besides; what is loaded already is not looked for again
  std::string why;
  for (int i = 0; i < kLibraries; ++i) {
    if (open(plugin) != nullptr) return {};
    why = last_reason();
    std::error_code code;
    const std::string name = missing_library(why);
    if (name.empty() || !fs::exists(folder / name, code)) return why;
    if (open(folder / name) == nullptr) return last_reason();
  }
  return why;
}

/// BENCH_SCALE_TORCH, then what the dynamic linker finds (LD_LIBRARY_PATH; the folder that a plug-in in its build tree knows), then Python's packages.
std::string load(const fs::path& plugin) {
  if (const char* named = std::getenv("BENCH_SCALE_TORCH"); named != nullptr && *named != '\0') {
    const fs::path folder = torch_libraries_in(named);
    return folder.empty() ? concat("BENCH_SCALE_TORCH=", named, ": no libtorch_cpu.so there") : load_with(plugin, folder);
  }
  if (const fs::path folder = folder_of(open("libtorch_cpu.so")); !folder.empty()) return load_with(plugin, folder);
  if (open(plugin) != nullptr) return {};
  std::string why = last_reason();
  if (missing_library(why).empty()) return why;
  why += "; looked in LD_LIBRARY_PATH and Python's packages (BENCH_SCALE_TORCH can name the folder of torch)";
  for (const fs::path& folder : torch_libraries_of_python()) {
    why = load_with(plugin, folder);
    if (why.empty()) break;
  }
  return why;
}

TorchState find_torch() {
  const char* wanted = std::getenv("BENCH_SCALE_TORCH");
  if (wanted != nullptr && std::string(wanted) == "off") return {.reason = "LibTorch is switched off by BENCH_SCALE_TORCH=off"};
  std::error_code code;
  const fs::path program = fs::read_symlink("/proc/self/exe", code), plugin = program.parent_path() / "libbench_torch.so";
  if (code || !fs::exists(plugin, code)) return {.reason = "this build has no LibTorch plug-in (libbench_torch.so)"};
  if (const std::string why = load(plugin); !why.empty()) return {.reason = concat("LibTorch could not be loaded: ", why)};
  const fs::path folder = folder_of(dlopen("libtorch_cpu.so", RTLD_NOW | RTLD_NOLOAD));
  return {.folder = folder.string(), .version = torch_version(folder)};
}

std::string why_missing(const GatedKernel& gated, const std::string& torch_reason) {
  if (gated.feature == "cuda") return "this build has no CUDA";
  return torch_reason.empty() ? "not part of the LibTorch plug-in" : torch_reason;
}

}  // namespace

const TorchState& torch_state() {
  static const TorchState state = find_torch();
  return state;
}

std::vector<scaling::MissingKernel> load_gated_kernels() {
  const std::string& reason = torch_state().reason;
  std::vector<scaling::MissingKernel> missing;
  for (const GatedKernel& gated : kGatedKernels)
    if (Registry<Kernel>::instance().find(gated.name) == nullptr)
      missing.push_back({std::string(gated.name), why_missing(gated, reason)});
  return missing;
}

}  // namespace bench::cli
