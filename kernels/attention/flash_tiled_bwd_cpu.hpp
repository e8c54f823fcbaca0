// SPDX-License-Identifier: Apache-2.0
// The tiled backward kernel's entry points, for ring_bwd_cpu: a ring of one rank is this kernel and nothing
// else.
#pragma once

#include <cstdint>

#include "kernels/attention/attention.hpp"
#include "kernels/attention/grad_share.hpp"
#include "kernels/kernel.hpp"

namespace bench::attention {

/// The problem with `rows` query rows on this rank.
GradShape grad_shape(const AttentionProblem& problem, std::int64_t rows);

/// This rank's share of the inputs and of what save_forward left.
template <class T>
GradRows<T> grad_rows(Tensors& tensors) {
  return {tensors["q"].as<T>(), tensors["dout"].as<T>(), tensors["out"].as<T>(),
          tensors["lse"].as<RealOf<T>>()};
}

std::int64_t flash_tiled_bwd_workspace_bytes(const Problem& problem);
void run_flash_tiled_bwd(const Problem& problem, Tensors& tensors, Context& context);

}  // namespace bench::attention
