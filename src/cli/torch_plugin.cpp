// SPDX-License-Identifier: Apache-2.0
#include "src/cli/torch_plugin.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "gated_kernels.hpp"
#include "kernels/kernel.hpp"

namespace bench::cli {
namespace {

/// Empty when the plug-in is loaded; else why not.
std::string load_torch() {
  const char* wanted = std::getenv("BENCH_SCALE_TORCH");
  if (wanted != nullptr && std::string(wanted) == "off") return "LibTorch is switched off by BENCH_SCALE_TORCH=off";
  std::error_code code;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", code);
  const std::filesystem::path plugin = program.parent_path() / "libbench_torch.so";
  if (code || !std::filesystem::exists(plugin, code)) return "this build has no LibTorch plug-in (libbench_torch.so)";
  if (dlopen(plugin.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr) return {};
  const char* why = dlerror();
  return concat("LibTorch could not be loaded: ", why != nullptr ? why : "no reason given");
}

std::string why_missing(const GatedKernel& gated, const std::string& torch_reason) {
  if (gated.feature == "cuda") return "this build has no CUDA";
  return torch_reason.empty() ? "not part of the LibTorch plug-in" : torch_reason;
}

}  // namespace

std::vector<scaling::MissingKernel> load_gated_kernels() {
  static const std::string reason = load_torch();
  std::vector<scaling::MissingKernel> missing;
  for (const GatedKernel& gated : kGatedKernels)
    if (Registry<Kernel>::instance().find(gated.name) == nullptr)
      missing.push_back({std::string(gated.name), why_missing(gated, reason)});
  return missing;
}

}  // namespace bench::cli
