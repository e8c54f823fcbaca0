// SPDX-License-Identifier: Apache-2.0
// Two ranks of a block on one GPU would measure each other.
#pragma once

#include <string_view>

#include "src/core/link.hpp"

namespace bench::jobs {

/// Collective over `link`. `device`: what this rank's device is called by every process of its host (its bus address). Error(unavailable) on every rank, with both ranks, when two have the same one.
void require_devices_apart(Link& link, std::string_view device);

}  // namespace bench::jobs
