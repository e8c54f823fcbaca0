// SPDX-License-Identifier: Apache-2.0
// What the planner can know about a case before it runs: its cost, the memory it needs, and whether it can
// run here at all.
#pragma once

#include "kernels/kernel.hpp"
#include "scaling/plan.hpp"

namespace bench::scaling {

/// Bytes a rank needs at most: its share of inputs and outputs, the kernel's workspace, and whole fp64 copies
/// of inputs and outputs for the check, which every rank makes for itself. In double, so that an absurd
/// problem gives an absurd number and no overflow.
double memory_bytes_per_rank(const Op& op, const Kernel& kernel, const Problem& problem);

/// Seconds of one call: max(flops / 20e9, bytes / 8e9, exps / 1e9) / ranks + 5e-6, nominal rates of one
/// common core; of a device's kernel 50e12, 1e12, 1e12 and 1e-5. Good for ordering cases, for a rough ETA and for
/// how long is too long, never a result.
double nominal_time_s(const Cost& cost, std::int64_t ranks, Backend backend);

/// Fills cost, memory_bytes, estimate_s, planned and reason of `c`, whose op, params and ranks are set. A
/// problem that the kernel does not support is skipped; one that asks for more ranks than the machine has, or
/// for more than 90 % of the memory a rank can have, is infeasible, with both figures in the reason. Usage
/// errors of the op's parse pass through.
void judge(const Op& op, const Kernel& kernel, const Machine& machine, Case& c);

}  // namespace bench::scaling
