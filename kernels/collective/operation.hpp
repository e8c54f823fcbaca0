// SPDX-License-Identifier: Apache-2.0
// The five exchanges of the collective op and what nccl-tests (doc/PERFORMANCE.md there) makes of a size and a time: closed forms that the op,
// its kernels and the analysis share.
//
// S is counted as nccl-tests counts it:
//   allreduce       every rank's array, in and out
//   reduce_scatter  every rank's input; a rank's output is 1/P of it
//   allgather       every rank's output; a rank's input is 1/P of it
//   alltoall        every rank's input and output, P pieces each
//   sendrecv        what each rank sends to the next one of a ring, and gets from the one before
// What is no whole number of elements, and of the three in the middle no P equal pieces of them, is rounded down.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace bench::collective {

enum class Operation : std::uint8_t { allreduce, allgather, reduce_scatter, alltoall, sendrecv };

std::string_view to_text(Operation operation);
std::optional<Operation> find_operation(std::string_view text);

/// Elements of a rank's input and output for messages of at most `message_bytes`; 0 when they are too short for one element each.
struct Extents {
  std::int64_t in = 0, out = 0;
};
Extents extents_of(Operation operation, std::int64_t message_bytes, std::int64_t element_bytes, std::int64_t ranks);

/// S after rounding down.
std::int64_t counted_bytes(Operation operation, std::int64_t message_bytes, std::int64_t element_bytes, std::int64_t ranks);

/// busbw / algbw, and what a rank has to send at least, in units of S: 2 (P-1)/P for allreduce, 1 for sendrecv, (P-1)/P for the others.
double bus_factor(Operation operation, std::int64_t ranks);

}  // namespace bench::collective
