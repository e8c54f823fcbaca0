// SPDX-License-Identifier: Apache-2.0
// "Did you mean", by its name in this room: the code is the core's, since kernels name their nearest words too.
#pragma once

#include "src/core/nearest.hpp"

namespace bench::scaling {

using bench::edit_distance;
using bench::nearest_name;
using bench::suggestion;

}  // namespace bench::scaling
