// SPDX-License-Identifier: Apache-2.0
// recurrence_chunked_bwd_cpu: the backward pass of h_t = a_t * h_{t-1} + b_t with time cut into chunks that
// threads work on together: r_t = dh_t + a_{t+1} r_{t+1}, db_t = r_t, da_t = r_t h_{t-1}.
//
// Shapes: a, h, dh, da, db (B, L, C); h0, dh_last, dh0 (B, C). See recurrence_bwd.hpp; h is the saved forward
// result.
//
// Algorithm: as recurrence_chunked_cpu, on the steps in reverse: reduce then scan on windows of chunks,
// recurrence_windows.hpp, where threads cannot share out batch entries or long pieces of the rows. da and db
// are written past the caches when they are large.
//
// Work and bytes: 3 FLOPs a step, 6 in windows; the least traffic, 5 B L C elements.
//
// Error against fp64: as sequential plus one rounding per window; a few eps.
//
// Right choice: always, on CPUs that are not shared. Preconditions: none; L may be shorter than the threads.
#include <cstdint>
#include <cstring>

#include "kernels/kernel.hpp"
#include "kernels/scan/recurrence.hpp"
#include "kernels/scan/recurrence_bwd_share.hpp"
#include "kernels/scan/recurrence_windows.hpp"

namespace bench::scan {
namespace {

/// One batch entry from its last step to its first: row i of the walk is step rows - 1 - i.
struct Walk {
  BackRowBlock block;
  std::int64_t rows, channels;
  DType dtype;

  explicit Walk(const BackRowBlock& steps)
      : block(steps), rows(steps.rows), channels(steps.channels), dtype(steps.dtype) {}
  Walk slice_channels(std::int64_t begin, std::int64_t end) const {
    return Walk(block.slice_channels(begin, end));
  }
  void carry(std::int64_t begin, std::int64_t end, std::byte* product, std::byte* state) const {
    carry_rows_back(block.slice_rows(rows - end, rows - begin), product, state);
  }
  void scan(std::int64_t begin, std::int64_t end, std::byte* state) const {
    scan_rows_back(block.slice_rows(rows - end, rows - begin), state);
  }
};

std::int64_t workspace_bytes(const Problem& problem) {
  return window_bytes(problem_as<RecurrenceProblem>(problem));
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  Tensor& state = tensors["dh0"];
  std::memcpy(state.data(), tensors["dh_last"].data(), static_cast<std::size_t>(state.bytes()));
  const std::byte* h0 = tensors["h0"].data();
  const auto walk_of = [&](std::int64_t entry) { return Walk(back_block_of_entry(p, tensors, h0, entry, 0)); };
  std::byte* workspace = context.workspace.data();
  if (p.dtype == DType::f64) return scan_entries(p, walk_of, state.as<double>(), workspace);
  scan_entries(p, walk_of, state.as<float>(), workspace);
}

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_chunked_bwd_cpu",
    .op = "recurrence",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "backward, time chunks in parallel, minimum traffic, writes past the caches",
    .supports = needs_time_middle,
    .workspace_bytes = workspace_bytes,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
