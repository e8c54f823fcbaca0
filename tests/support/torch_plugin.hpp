// SPDX-License-Identifier: Apache-2.0
// The LibTorch kernels for tests: they register when the plug-in beside the test program is loaded.
#pragma once

#include <string>

namespace bench::support {

/// Loads libbench_torch.so from the program's own folder, once. Returns why that did not work; empty when it
/// did. Takes about a second, so only tests that need LibTorch call it.
std::string load_torch_plugin();

}  // namespace bench::support
