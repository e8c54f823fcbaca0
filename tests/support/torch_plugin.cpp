// SPDX-License-Identifier: Apache-2.0
#include "tests/support/torch_plugin.hpp"

#include <dlfcn.h>

#include <filesystem>

namespace bench::support {
namespace {

std::string load() {
  const auto plugin = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "libbench_torch.so";
  if (!std::filesystem::exists(plugin)) return "this build has no LibTorch plug-in";
  if (dlopen(plugin.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr) return {};
  const char* why = dlerror();
  return why != nullptr ? why : "dlopen failed without a reason";
}

}  // namespace

std::string load_torch_plugin() {
  static const std::string reason = load();
  return reason;
}

}  // namespace bench::support
