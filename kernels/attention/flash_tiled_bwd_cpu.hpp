// SPDX-License-Identifier: Apache-2.0
// The tiled backward kernel's entry points, for the distributed ones: on one rank they are this kernel and
// nothing else, and ulysses_bwd_cpu runs it on its heads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

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

/// What the backward pass of whole sequences writes: dq (B, H, L, D), dk and dv (B, Hkv, L, D).
template <class T, class Out>
struct Gradients {
  T* dq;
  Out* dk;
  Out* dv;
};

/// The backward pass over whole sequences; k and v (B, Hkv, L, D), rows as GradRows says. `workspace` holds
/// at least flash_tiled_bwd_workspace_bytes(problem). Out is T, or the type of sums where others add to them.
template <class T, class Out>
void whole_backward(const AttentionProblem& problem, const GradRows<T>& rows, const T* k, const T* v,
                    const Gradients<T, Out>& gradients, std::span<std::byte> workspace);

std::int64_t flash_tiled_bwd_workspace_bytes(const Problem& problem);
void run_flash_tiled_bwd(const Problem& problem, Tensors& tensors, Context& context);

}  // namespace bench::attention
