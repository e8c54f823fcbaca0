// SPDX-License-Identifier: Apache-2.0
// What a device's decode kernels have in common: tensors, tables and partial results on the device, the cut into spans, two launches.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "kernels/decode/paged_job.hpp"
#include "kernels/kernel.hpp"

namespace bench::decode {

/// What differs: who reads a span's rows, and how. In files that are compiled with CUDA.
struct SpanReader {
  /// Blocks that the current device runs at once; also makes the reader ready for its launches.
  std::int64_t (*slots)(const DecodeProblem&);
  /// Heads of a group that one block takes.
  std::int64_t (*heads_a_block)(const DecodeProblem&);
  void (*launch)(const DecodeProblem&, const PagedJob&, void* stream);
};
extern const SpanReader kReadByLanes;        // paged_cuda.cu
extern const SpanReader kReadByTensorCores;  // paged_mma_cuda.cu

enum class Cut : std::uint8_t {
  to_fill_the_device,  // plan_splits
  fixed,               // fixed_splits: a sequence's bits do not depend on its company
};

std::string takes_pages(const Problem& problem);  // Kernel::supports
std::unique_ptr<Prepared> prepare_paged(const SpanReader& reader, Cut cut, const Problem& problem, Tensors& tensors);
/// The reader over all spans and, where a sequence may have more than one, their merge.
void run_paged(const SpanReader& reader, const Problem& problem, const Context& context);

}  // namespace bench::decode
