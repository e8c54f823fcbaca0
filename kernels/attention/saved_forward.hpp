// SPDX-License-Identifier: Apache-2.0
// What a backward pass is given by the forward pass before it. Backward kernels call this in their prepare,
// so the forward pass is never timed.
#pragma once

#include <cstdint>

#include "kernels/attention/attention.hpp"
#include "kernels/kernel.hpp"

namespace bench::attention {

/// Adds out and lse of this rank's rows to `tensors`, which hold its shares of q, k and v: computed by
/// ring_cpu, which is flash_tiled_cpu on one rank, by that itself where more than causality is asked for, or by naive_cpu, with
/// context.workspace as scratch. Collective. When memory runs out on one rank, all ranks throw and none is left waiting.
void save_forward(const AttentionProblem& problem, Tensors& tensors, Context& context);

/// Scratch that save_forward needs; a backward kernel asks for no less.
std::int64_t save_forward_workspace_bytes(const AttentionProblem& problem);

}  // namespace bench::attention
