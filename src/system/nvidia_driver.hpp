// SPDX-License-Identifier: Apache-2.0
// The version of NVIDIA's kernel driver, which CUDA itself tells only as the newest CUDA that it knows.
#pragma once

#include <string>
#include <string_view>

namespace bench::system {

/// "580.82.07" of the text of /proc/driver/nvidia/version; empty when it holds no version.
std::string driver_version_in(std::string_view text);

/// Of this machine; empty where there is none.
std::string nvidia_driver_version();

}  // namespace bench::system
