// SPDX-License-Identifier: Apache-2.0
// The collective op: one exchange between all ranks, as a microcase of the links themselves.
//
//   allreduce       y = sum over ranks of x_r, on every rank
//   allgather       y = x_0, x_1, ..., on every rank
//   reduce_scatter  y_r = share r of the sum over ranks of x_r
//   alltoall        piece s of y_r = piece r of x_s
//   sendrecv        y_r = x_(r-1): a step round the ring
//
// Tensors, in the problem's dtype: x (P, in), of which rank r has row r -> y (P, out), of which rank r has row r, or y (out), of which every rank
// has all, for allreduce and allgather. Extents follow from `message_bytes` as in operation.hpp.
//
// What is added are whole numbers so small that every partial sum is exact in every type, in any order: rivals may add as they like, and one wrong
// addend shows, however many there are. What is only moved is N(0, 1).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "kernels/collective/operation.hpp"
#include "kernels/problem.hpp"
#include "src/core/link.hpp"

namespace bench::collective {

struct CollectiveProblem : Problem {
  Operation operation = Operation::allreduce;
  std::int64_t message_bytes = 1 << 20;  // S, before it is rounded down

  Extents extents() const { return extents_of(operation, message_bytes, size_of(dtype), ranks); }
  std::int64_t counted() const { return counted_bytes(operation, message_bytes, size_of(dtype), ranks); }
  /// Ranks have the same output, not rows of one.
  bool replicated() const { return operation == Operation::allreduce || operation == Operation::allgather; }
  bool adds() const { return operation == Operation::allreduce || operation == Operation::reduce_scatter; }
};

/// A reason when a message is too short to have an element for each piece: no kernel can do it.
std::string too_short(const Problem& problem);

/// This rank's row, as a call of a link takes it. A kernel of a device hands its copies of them to link_call instead.
std::span<const std::byte> input_of(const Tensors& tensors);
std::span<std::byte> output_of(Tensors& tensors);

/// The problem's operation by the link's own call. Where the spans lie (host, device) is the link's affair.
void link_call(Link& link, const CollectiveProblem& problem, std::span<const std::byte> in, std::span<std::byte> out);

/// The fp64 oracle: the formulas above. Inputs in fp64; `rows` are ranks.
Tensors reference(const Problem& problem, const Tensors& inputs, std::span<const std::int64_t> rows);

}  // namespace bench::collective
