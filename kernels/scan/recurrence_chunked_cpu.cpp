// SPDX-License-Identifier: Apache-2.0
// recurrence_chunked_cpu: h_t = a_t * h_{t-1} + b_t with the time axis cut into chunks that threads work on side by side.
//
// Shapes: a, b, h (B, L, C); h0, h_last (B, C). See recurrence.hpp.
// Algorithm: reduce then scan, on windows of threads x chunk steps. (1) each thread carries its chunk from zero: (prod a, end state);
//   (2) each thread combines the carries before its own, in order: state = prod * state + end (Blelloch, "Prefix sums and their
//   applications", 1990, on the pair monoid); (3) each thread scans its chunk from its true start state. Between (1) and (3) the chunk
//   stays in the thread's private cache, so memory sees three streams, not five. With one thread, or a batch entry per thread, (1) and
//   (2) fall away. h is written past the caches when it is large (see recurrence_rows.hpp).
// Work and bytes: 5 instead of 2 FLOPs a step with several threads; minimum traffic, 3 B L C elements.
// Error against fp64: as sequential plus one rounding per window; a few eps.
// Right choice: always, on CPUs. Preconditions: none; L may be shorter than the number of threads.
#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/kernel.hpp"
#include "kernels/scan/recurrence.hpp"
#include "kernels/scan/recurrence_rows.hpp"
#include "kernels/scan/scan.hpp"

namespace bench::scan {
namespace {

/// a and b of one chunk: half of a private cache of 1 MB, the least among server cores of the day.
constexpr std::int64_t kChunkBytes = std::int64_t{512} << 10;

/// Workspace: per thread one carry (product, end state) and the state from which its chunk starts, each a row of C.
constexpr std::int64_t kRowsPerThread = 3;

std::int64_t row_elements(const RecurrenceProblem& p) { return ceil_div(p.channels, 16) * 16; }  // no line is shared by two threads

std::int64_t workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  return p.threads * kRowsPerThread * row_elements(p) * size_of(state_dtype(p.dtype));
}

RowBlock batch_entry(const RecurrenceProblem& p, Tensors& tensors, std::int64_t entry) {
  RowBlock block;
  block.dtype = p.dtype;
  const std::int64_t offset = entry * p.seq * p.channels * size_of(p.dtype);
  block.a = tensors["a"].data() + offset;
  block.b = tensors["b"].data() + offset;
  block.h = tensors["h"].data() + offset;
  block.rows = p.seq;
  block.channels = block.stride = p.channels;
  block.streams = streams_pay(p.dtype, p.batch * p.seq, p.channels);
  return block;
}

/// One thread's view of the carries of all threads.
template <class S>
struct Carries {
  S* rows;
  std::int64_t length, channels;
  S* product(std::int64_t thread) const { return rows + (thread * kRowsPerThread + 0) * length; }
  S* end(std::int64_t thread) const { return rows + (thread * kRowsPerThread + 1) * length; }
  S* start(std::int64_t thread) const { return rows + (thread * kRowsPerThread + 2) * length; }

  void clear(std::int64_t thread) const {
    std::fill_n(product(thread), channels, S{1});
    std::fill_n(end(thread), channels, S{0});
  }
  /// state <- thread's carry applied to state.
  void apply(std::int64_t thread, S* state) const {
    const S* p = product(thread);
    const S* e = end(thread);
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) state[c] = p[c] * state[c] + e[c];
  }
};

/// All steps of one batch entry by all threads of the team; `state` holds h0 and becomes h_last. Called by every thread of the team.
template <class S>
void scan_windows(const RowBlock& all, const Carries<S>& carries, S* state, std::int64_t thread, std::int64_t threads) {
  const std::int64_t chunk = std::max<std::int64_t>(1, kChunkBytes / (2 * all.stride * size_of(all.dtype)));
  S* start = carries.start(thread);
  std::memcpy(start, state, static_cast<std::size_t>(all.channels) * sizeof(S));
  for (std::int64_t begin = 0; begin < all.rows; begin += threads * chunk) {
    const std::int64_t rows = std::min(threads * chunk, all.rows - begin);
    const Range mine = part_of(rows, 1, threads, thread);
    const RowBlock block = all.slice_rows(begin + mine.begin, begin + mine.end);
    carries.clear(thread);
    carry_rows(block, reinterpret_cast<std::byte*>(carries.product(thread)),
               reinterpret_cast<std::byte*>(carries.end(thread)));
#pragma omp barrier
    for (std::int64_t earlier = 0; earlier < thread; ++earlier) carries.apply(earlier, start);
    scan_rows(block, reinterpret_cast<std::byte*>(start));
    // The state after this window, the same way on every thread: from here on through the later chunks.
    for (std::int64_t later = thread + 1; later < threads; ++later) carries.apply(later, start);
#pragma omp barrier
  }
  if (thread == threads - 1) std::memcpy(state, start, static_cast<std::size_t>(all.channels) * sizeof(S));
}

template <class S>
void scan_all(const RecurrenceProblem& p, Tensors& tensors, Context& context) {
  S* state = tensors["h_last"].as<S>();
  std::memcpy(state, tensors["h0"].data(), static_cast<std::size_t>(tensors["h0"].bytes()));
  const Carries<S> carries{reinterpret_cast<S*>(context.workspace.data()), row_elements(p), p.channels};
  const int threads = static_cast<int>(p.threads);
  if (p.threads == 1 || p.batch % p.threads == 0) {
#pragma omp parallel for num_threads(threads) schedule(static)  // whole batch entries: no carries at all
    for (std::int64_t i = 0; i < p.batch; ++i)
      scan_rows(batch_entry(p, tensors, i), reinterpret_cast<std::byte*>(state + i * p.channels));
    return;
  }
#pragma omp parallel num_threads(threads)  // two barriers a window, some 1 MB of traffic per thread
  for (std::int64_t i = 0; i < p.batch; ++i)
    scan_windows<S>(batch_entry(p, tensors, i), carries, state + i * p.channels, omp_get_thread_num(), omp_get_num_threads());
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  if (p.dtype == DType::f64) return scan_all<double>(p, tensors, context);
  scan_all<float>(p, tensors, context);
}

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_chunked_cpu",
    .op = "recurrence",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "time chunks in parallel, minimum traffic, writes past the caches",
    .workspace_bytes = workspace_bytes,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
