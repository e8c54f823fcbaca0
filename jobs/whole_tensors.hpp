// SPDX-License-Identifier: Apache-2.0
// The tensors of a case put together again from the ranks' shares.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/problem.hpp"
#include "src/core/link.hpp"

namespace bench::jobs {

/// Tables, inputs and outputs of the whole problem on rank 0 of the link, nothing on the others; the outputs in their own dtype, the inputs made anew
/// from `seed` in fp64, rounded as the kernel had them. Collective over the link. `shares` and `positions` are this rank's.
Tensors whole_tensors(Link& link, const Op& op, const Problem& problem, const Tensors& shares, std::uint64_t seed);

}  // namespace bench::jobs
