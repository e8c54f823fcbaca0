// SPDX-License-Identifier: Apache-2.0
// Whether kernels may start programs: only where --allow-commands says so.
#pragma once

namespace bench::jobs {

/// Of this process, from here on.
void allow_commands(bool allowed);
bool commands_allowed();
inline constexpr const char* kNotAllowed = "it is run by a program outside of this one, which only --allow-commands permits";

}  // namespace bench::jobs
