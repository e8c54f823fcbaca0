// SPDX-License-Identifier: Apache-2.0
// Whether this process can still use its device. An error of a kernel can break the context that all of the
// process shares; CUDA has no way back from that but a new process.
#pragma once

#include <string>

namespace bench::device {

/// Waits for the current device. Why it can be used no more in this process, with CUDA's name and words;
/// empty when it can, and where there is no device. Errors that leave it usable are cleared.
std::string lost_context();

}  // namespace bench::device
