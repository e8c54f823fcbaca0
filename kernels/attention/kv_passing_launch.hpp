// SPDX-License-Identifier: Apache-2.0
// A list of RingOps played on a device: what the kernels of ring, double ring and all-gather over a DeviceLink are made of.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/attention/ring_schedule.hpp"
#include "kernels/kernel.hpp"

namespace bench::attention {

/// Causal masks only; head dimensions of whole 16 bytes up to 256.
std::string supports_kv_passing_launch(const Problem& problem);

/// The rank's tensors, slots and state on its device.
std::unique_ptr<Prepared> prepare_kv_passing_launch(const Problem& problem, Tensors& tensors, Context& context, std::vector<RingOp> schedule);

/// Queues a call on context.stream.
void run_kv_passing_launch(const Problem& problem, Tensors& tensors, Context& context);

}  // namespace bench::attention
