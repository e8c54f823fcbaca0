// SPDX-License-Identifier: Apache-2.0
// The inner loops of the recurrence: whole rows of channels, one step at a time, with the state row in L1.
// Serves the chunked kernel and the one across ranks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/scan/segments.hpp"
#include "src/core/dtype.hpp"

namespace bench::scan {

/// Channels that are worked on together: their state row (16 KB in fp32) stays in L1 while the rows stream
/// by.
inline constexpr std::int64_t kRowStrip = 4096;

/// A block of consecutive steps of one batch entry: rows of `channels` neighbouring elements, `stride`
/// elements apart.
struct RowBlock {
  DType dtype = DType::f32;
  const std::byte* a = nullptr;  // first element of the first row
  const std::byte* b = nullptr;
  std::byte* h = nullptr;  // output; not touched by carry_rows
  std::int64_t rows = 0, channels = 0, stride = 0;
  bool streams = false;  // write h past the caches; see streams_pay
  Segments segments;     // row 0 is their step 0

  /// The same block, only rows [begin, end).
  RowBlock slice_rows(std::int64_t begin, std::int64_t end) const;
  /// The same block, only channels [begin, end).
  RowBlock slice_channels(std::int64_t begin, std::int64_t end) const;
};

/// True when h should be written past the caches: it is larger than a cache that would be worth keeping it
/// in, and every row starts on 16 bytes, as non-temporal stores need.
bool streams_pay(DType dtype, std::int64_t rows, std::int64_t channels);

/// state <- a * state + b row by row, from zero where a packed sequence begins, and h <- state. `state`: `channels` elements of state_dtype(dtype).
void scan_rows(const RowBlock& block, std::byte* state);

/// The same without output: the end state from `state`, and product <- product * prod a. Reads two streams
/// instead of moving three. Nothing before the last start of a sequence is read: it does not reach the end.
void carry_rows(const RowBlock& block, std::byte* product, std::byte* state);

}  // namespace bench::scan
