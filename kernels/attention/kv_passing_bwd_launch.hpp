// SPDX-License-Identifier: Apache-2.0
// A list of RingBwdOps played on a device: what the backward kernels of ring, double ring and all-gather over a DeviceLink are made of. They support what
// the forward pass's do (supports_kv_passing_launch).
#pragma once

#include <memory>
#include <vector>

#include "kernels/attention/kv_passing_launch.hpp"
#include "kernels/attention/ring_bwd_schedule.hpp"

namespace bench::attention {

/// Scratch of the forward pass before it, on the host.
std::int64_t kv_passing_bwd_launch_workspace_bytes(const Problem& problem);

/// The rank's tensors, slots and sums on its device, and what the forward pass left. Collective.
std::unique_ptr<Prepared> prepare_kv_passing_bwd_launch(const Problem& problem, Tensors& tensors, Context& context, std::vector<RingBwdOp> schedule);

/// Queues a call on context.stream.
void run_kv_passing_bwd_launch(const Problem& problem, Tensors& tensors, Context& context);

}  // namespace bench::attention
