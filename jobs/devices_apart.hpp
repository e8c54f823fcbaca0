// SPDX-License-Identifier: Apache-2.0
// Two ranks of a block on one GPU would measure each other.
#pragma once

#include <string_view>

#include "src/core/link.hpp"

namespace bench::jobs {

/// Collective over `link`. `device`: what this rank's device is called by every process of its host (its bus address). True when two ranks have the same one; where
/// they may not, Error(unavailable) on every rank, with both ranks.
bool share_a_device(Link& link, std::string_view device, bool allowed);

}  // namespace bench::jobs
