// SPDX-License-Identifier: Apache-2.0
// recurrence_chunked_cpu: h_t = a_t * h_{t-1} + b_t with time cut into chunks that threads work on together.
//
// Shapes: a, b, h (B, L, C); h0, h_last (B, C). See recurrence.hpp.
//
// Algorithm: reduce then scan on windows of chunks, recurrence_windows.hpp, where threads cannot share out
// batch entries or long pieces of the rows. h is written past the caches when it is large (see
// recurrence_rows.hpp).
//
// Work and bytes: 2 FLOPs a step, 5 in windows; the least traffic, 3 B L C elements.
//
// Error against fp64: as sequential plus one rounding per window; a few eps.
//
// Right choice: always, on CPUs that are not shared. Preconditions: none; L may be shorter than the threads.
#include <cstdint>
#include <cstring>

#include "kernels/kernel.hpp"
#include "kernels/scan/recurrence.hpp"
#include "kernels/scan/recurrence_rows.hpp"
#include "kernels/scan/recurrence_windows.hpp"
#include "kernels/scan/scan.hpp"

namespace bench::scan {
namespace {

/// One batch entry in the order of its steps.
struct Walk {
  RowBlock block;
  std::int64_t rows, channels;
  DType dtype;

  explicit Walk(const RowBlock& steps)
      : block(steps), rows(steps.rows), channels(steps.channels), dtype(steps.dtype) {}
  Walk slice_channels(std::int64_t begin, std::int64_t end) const {
    return Walk(block.slice_channels(begin, end));
  }
  void carry(std::int64_t begin, std::int64_t end, std::byte* product, std::byte* state) const {
    carry_rows(block.slice_rows(begin, end), product, state);
  }
  void scan(std::int64_t begin, std::int64_t end, std::byte* state) const {
    scan_rows(block.slice_rows(begin, end), state);
  }
};

Walk batch_entry(const RecurrenceProblem& p, Tensors& tensors, std::int64_t entry) {
  RowBlock block;
  block.dtype = p.dtype;
  const std::int64_t offset = entry * p.seq * p.channels * size_of(p.dtype);
  block.a = tensors["a"].data() + offset;
  block.b = tensors["b"].data() + offset;
  block.h = tensors["h"].data() + offset;
  block.rows = p.seq;
  block.channels = block.stride = p.channels;
  block.streams = streams_pay(p.dtype, p.batch * p.seq, p.channels);
  block.segments = p.segments();
  return Walk(block);
}

std::int64_t workspace_bytes(const Problem& problem) {
  return window_bytes(problem_as<RecurrenceProblem>(problem));
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  Tensor& state = tensors["h_last"];
  std::memcpy(state.data(), tensors["h0"].data(), static_cast<std::size_t>(state.bytes()));
  const auto walk_of = [&](std::int64_t entry) { return batch_entry(p, tensors, entry); };
  std::byte* workspace = context.workspace.data();
  if (p.dtype == DType::f64) return scan_entries(p, walk_of, state.as<double>(), workspace);
  scan_entries(p, walk_of, state.as<float>(), workspace);
}

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_chunked_cpu",
    .op = "recurrence",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "time chunks in parallel, minimum traffic, writes past the caches",
    .supports = needs_time_middle,
    .workspace_bytes = workspace_bytes,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
