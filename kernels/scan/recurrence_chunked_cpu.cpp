// SPDX-License-Identifier: Apache-2.0
// recurrence_chunked_cpu: h_t = a_t * h_{t-1} + b_t with time cut into chunks that threads work on together.
//
// Shapes: a, b, h (B, L, C); h0, h_last (B, C). See recurrence.hpp.
//
// Algorithm: reduce then scan, on windows of threads x chunk steps (Blelloch, "Prefix sums and their
// applications", 1990, on the monoid of pairs):
//   (1) each thread carries its chunk from zero: (prod a, end state);
//   (2) each thread combines the carries before its own, in order: state = prod * state + end;
//   (3) each thread scans its chunk from its true start state.
// Between (1) and (3) the chunk stays in the thread's private cache, so memory sees three streams, not five.
// Where threads can share out batch entries, or channels in long enough pieces, they do, and (1) and (2) fall
// away. h is written past the caches when it is large (see recurrence_rows.hpp).
//
// Work and bytes: 2 FLOPs a step, 5 in windows; the least traffic, 3 B L C elements.
//
// Error against fp64: as sequential plus one rounding per window; a few eps.
//
// Right choice: always, on CPUs that are not shared. Preconditions: none; L may be shorter than the threads.
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

/// A thread's piece of a row, if threads cut channels: below, the prefetcher loses its streams. Measured on
/// one core against whole rows: 1 KB pieces run at 0.6 of the speed, 2 KB at 0.85, 4 KB at 1. Windows are no
/// faster than that 0.85 once a core is shared with anything else, since every window waits for the slowest
/// thread.
constexpr std::int64_t kPieceBytes = 2048;

/// Workspace: per thread two carries (product, end state), for windows by turns, and the state from which its
/// chunk starts: rows of C.
constexpr std::int64_t kRowsPerThread = 5;

std::int64_t row_elements(const RecurrenceProblem& p) {
  return ceil_div(p.channels, 16) * 16;
}  // no line is shared by two threads

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

/// The carries of all threads for one window.
template <class S>
struct Carries {
  S* rows;
  std::int64_t length, channels;
  S* row(std::int64_t thread, std::int64_t i) const { return rows + (thread * kRowsPerThread + i) * length; }
};

/// The carry of one thread's chunk in one window.
template <class S>
struct Carry {
  S *product, *end;
  std::int64_t channels;

  void clear() const {
    std::fill_n(product, channels, S{1});
    std::fill_n(end, channels, S{0});
  }
  void apply_to(S* state) const {
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) state[c] = product[c] * state[c] + end[c];
  }
};

/// Carries by turns: a thread that is a window ahead writes the other ones, so one barrier a window is
/// enough.
template <class S>
Carry<S> carry_of(const Carries<S>& all, std::int64_t thread, std::int64_t window) {
  const std::int64_t turn = window % 2;
  return {all.row(thread, 2 * turn), all.row(thread, 2 * turn + 1), all.channels};
}

/// All steps of one batch entry by all threads of the team; `state` holds h0 and becomes h_last. Called by
/// every thread of the team.
template <class S>
void scan_windows(const RowBlock& all, const Carries<S>& carries, S* state, std::int64_t thread,
                  std::int64_t threads) {
  const std::int64_t chunk = std::max<std::int64_t>(1, kChunkBytes / (2 * all.stride * size_of(all.dtype)));
  S* start = carries.row(thread, kRowsPerThread - 1);
  std::memcpy(start, state, static_cast<std::size_t>(all.channels) * sizeof(S));
  for (std::int64_t window = 0; window * threads * chunk < all.rows; ++window) {
    const std::int64_t begin = window * threads * chunk, rows = std::min(threads * chunk, all.rows - begin);
    const Range mine = part_of(rows, 1, threads, thread);
    const RowBlock block = all.slice_rows(begin + mine.begin, begin + mine.end);
    const Carry<S> carry = carry_of(carries, thread, window);
    carry.clear();
    carry_rows(block, reinterpret_cast<std::byte*>(carry.product), reinterpret_cast<std::byte*>(carry.end));
#pragma omp barrier  // carries of this window are written
    for (std::int64_t earlier = 0; earlier < thread; ++earlier)
      carry_of(carries, earlier, window).apply_to(start);
    scan_rows(block, reinterpret_cast<std::byte*>(start));
    for (std::int64_t later = thread + 1; later < threads; ++later)
      carry_of(carries, later, window).apply_to(start);
  }
#pragma omp barrier  // every thread has read h0 and the last carries
  if (thread == threads - 1) std::memcpy(state, start, static_cast<std::size_t>(all.channels) * sizeof(S));
}

/// Every thread its channels of every batch entry.
template <class S>
void scan_pieces(const RecurrenceProblem& p, Tensors& tensors, S* state) {
#pragma omp parallel for num_threads(static_cast <int>(p.threads)) schedule(static)
  for (std::int64_t part = 0; part < p.threads; ++part) {
    const Range channels = part_of(p.channels, 16, p.threads, part);
    for (std::int64_t i = 0; i < p.batch; ++i)
      scan_rows(batch_entry(p, tensors, i).slice_channels(channels.begin, channels.end),
                reinterpret_cast<std::byte*>(state + i * p.channels + channels.begin));
  }
}

template <class S>
void scan_all(const RecurrenceProblem& p, Tensors& tensors, Context& context) {
  S* state = tensors["h_last"].as<S>();
  std::memcpy(state, tensors["h0"].data(), static_cast<std::size_t>(tensors["h0"].bytes()));
  const Carries<S> carries{reinterpret_cast<S*>(context.workspace.data()), row_elements(p), p.channels};
  const int threads = static_cast<int>(p.threads);
  if (p.threads == 1 || p.batch % p.threads == 0) {
#pragma omp parallel for num_threads(threads) schedule(static)  // whole batch entries
    for (std::int64_t i = 0; i < p.batch; ++i)
      scan_rows(batch_entry(p, tensors, i), reinterpret_cast<std::byte*>(state + i * p.channels));
  } else if (p.channels * size_of(p.dtype) >= p.threads * kPieceBytes) {
    scan_pieces(p, tensors, state);
  } else {
#pragma omp parallel num_threads(threads)  // a barrier per window, some 1 MB of traffic per thread
    for (std::int64_t i = 0; i < p.batch; ++i)
      scan_windows<S>(batch_entry(p, tensors, i), carries, state + i * p.channels, omp_get_thread_num(),
                      omp_get_num_threads());
  }
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
