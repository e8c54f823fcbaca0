// SPDX-License-Identifier: Apache-2.0
// The tiled kernel's entry points, for ring_cpu: a ring of one rank is this kernel and nothing else.
#pragma once

#include <cstdint>

#include "kernels/kernel.hpp"

namespace bench::attention {

std::int64_t flash_tiled_workspace_bytes(const Problem& problem);
void run_flash_tiled(const Problem& problem, Tensors& tensors, Context& context);

}  // namespace bench::attention
