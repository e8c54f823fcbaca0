// SPDX-License-Identifier: Apache-2.0
// LibTorch comes as a plug-in: libbench_torch.so beside the program registers the *_torch kernels when it is loaded. A machine without
// LibTorch, or with a broken one, runs everything else and says why these kernels are missing.
#pragma once

#include <string>
#include <vector>

#include "scaling/plan.hpp"

namespace bench::cli {

/// Of the plug-in, which is loaded at the first call.
struct TorchState {
  std::string reason;           // why it is not to be had; empty when it is
  std::string folder, version;  // of the LibTorch that it works with
};
const TorchState& torch_state();

/// Loads the plug-in once. What is compiled in (CUDA) is known by name, too, in a build without it. Returns the kernels that are known by name but not to be had here, each with the reason.
std::vector<scaling::MissingKernel> load_gated_kernels();

}  // namespace bench::cli
