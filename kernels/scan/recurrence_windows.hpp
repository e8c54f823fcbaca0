// SPDX-License-Identifier: Apache-2.0
// How threads share the steps and channels of a recurrence, forward or backward: reduce then scan, on windows
// of threads x chunk steps (Blelloch, "Prefix sums and their applications", 1990, on the monoid of pairs):
//   (1) each thread carries its chunk from zero: (prod a, end state);
//   (2) each thread combines the carries before its own, in order: state = prod * state + end;
//   (3) each thread scans its chunk from its true start state.
// Between (1) and (3) what the carry read stays in the thread's private cache, so memory sees it once. Where
// threads can share out batch entries, or channels in long enough pieces, they do, and (1) and (2) fall away.
//
// A Walk is one batch entry in the order of the scan, which backward is that of the steps in reverse:
//   std::int64_t rows, channels;  DType dtype
//   Walk slice_channels(begin, end)
//   void carry(begin, end, std::byte* product, std::byte* state)   its rows [begin, end), without outputs
//   void scan(begin, end, std::byte* state)
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/scan/recurrence.hpp"
#include "kernels/scan/scan.hpp"

namespace bench::scan {

/// The two streams a carry reads of one chunk: half of a private cache of 1 MB, the least among server cores
/// of the day.
inline constexpr std::int64_t kChunkBytes = std::int64_t{512} << 10;

/// A thread's piece of a row, if threads cut channels: below, the prefetcher loses its streams. Measured on
/// one core against whole rows: 1 KB pieces run at 0.6 of the speed, 2 KB at 0.85, 4 KB at 1. Windows are no
/// faster than that 0.85 once a core is shared with anything else, since every window waits for the slowest
/// thread.
inline constexpr std::int64_t kPieceBytes = 2048;

/// Workspace: per thread two carries (product, end state), for windows by turns, and the state from which its
/// chunk starts: rows of C.
inline constexpr std::int64_t kRowsPerThread = 5;

inline std::int64_t window_row_elements(const RecurrenceProblem& p) {
  return ceil_div(p.channels, 16) * 16;  // no line is shared by two threads
}

inline std::int64_t window_bytes(const RecurrenceProblem& p) {
  return p.threads * kRowsPerThread * window_row_elements(p) * size_of(state_dtype(p.dtype));
}

/// The carry of one thread's chunk in one window.
template <class S>
struct ChunkCarry {
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

/// The carries of all threads. They go by turns: a thread that is a window ahead writes the other ones, so
/// one barrier a window is enough.
template <class S>
struct WindowCarries {
  S* rows;
  std::int64_t length, channels;

  S* row(std::int64_t thread, std::int64_t i) const { return rows + (thread * kRowsPerThread + i) * length; }
  ChunkCarry<S> of(std::int64_t thread, std::int64_t window) const {
    const std::int64_t turn = window % 2;
    return {row(thread, 2 * turn), row(thread, 2 * turn + 1), channels};
  }
};

/// All rows of one walk by all threads of the team; `state` holds the start and becomes the end. Called by
/// every thread of the team.
template <class S, class Walk>
void scan_windows(const Walk& all, const WindowCarries<S>& carries, S* state, std::int64_t thread,
                  std::int64_t threads) {
  const std::int64_t chunk = std::max<std::int64_t>(1, kChunkBytes / (2 * all.channels * size_of(all.dtype)));
  S* start = carries.row(thread, kRowsPerThread - 1);
  std::memcpy(start, state, static_cast<std::size_t>(all.channels) * sizeof(S));
  for (std::int64_t window = 0; window * threads * chunk < all.rows; ++window) {
    const std::int64_t begin = window * threads * chunk, rows = std::min(threads * chunk, all.rows - begin);
    const Range mine = part_of(rows, 1, threads, thread);
    const ChunkCarry<S> carry = carries.of(thread, window);
    carry.clear();
    all.carry(begin + mine.begin, begin + mine.end, reinterpret_cast<std::byte*>(carry.product),
              reinterpret_cast<std::byte*>(carry.end));
#pragma omp barrier  // carries of this window are written
    for (std::int64_t earlier = 0; earlier < thread; ++earlier) carries.of(earlier, window).apply_to(start);
    all.scan(begin + mine.begin, begin + mine.end, reinterpret_cast<std::byte*>(start));
    for (std::int64_t later = thread + 1; later < threads; ++later) carries.of(later, window).apply_to(start);
  }
#pragma omp barrier  // every thread has read the start and the last carries
  if (thread == threads - 1) std::memcpy(state, start, static_cast<std::size_t>(all.channels) * sizeof(S));
}

/// Every thread its channels of every batch entry.
template <class S, class WalkOf>
void scan_pieces(const RecurrenceProblem& p, const WalkOf& walk_of, S* state) {
#pragma omp parallel for num_threads(static_cast <int>(p.threads)) schedule(static)
  for (std::int64_t part = 0; part < p.threads; ++part) {
    const Range channels = part_of(p.channels, 16, p.threads, part);
    for (std::int64_t i = 0; i < p.batch; ++i)
      walk_of(i)
          .slice_channels(channels.begin, channels.end)
          .scan(0, p.seq, reinterpret_cast<std::byte*>(state + i * p.channels + channels.begin));
  }
}

/// The whole problem: `state` (B, C) holds the start states and becomes the end states; walk_of(i) is batch
/// entry i; `workspace` has window_bytes.
template <class S, class WalkOf>
void scan_entries(const RecurrenceProblem& p, const WalkOf& walk_of, S* state, std::byte* workspace) {
  const WindowCarries<S> carries{reinterpret_cast<S*>(workspace), window_row_elements(p), p.channels};
  const int threads = static_cast<int>(p.threads);
  if (p.threads == 1 || p.batch % p.threads == 0) {
#pragma omp parallel for num_threads(threads) schedule(static)  // whole batch entries
    for (std::int64_t i = 0; i < p.batch; ++i)
      walk_of(i).scan(0, p.seq, reinterpret_cast<std::byte*>(state + i * p.channels));
  } else if (p.channels * size_of(p.dtype) >= p.threads * kPieceBytes) {
    scan_pieces(p, walk_of, state);
  } else {
#pragma omp parallel num_threads(threads)  // a barrier per window, some 1 MB of traffic per thread
    for (std::int64_t i = 0; i < p.batch; ++i)
      scan_windows<S>(walk_of(i), carries, state + i * p.channels, omp_get_thread_num(),
                      omp_get_num_threads());
  }
}

}  // namespace bench::scan
