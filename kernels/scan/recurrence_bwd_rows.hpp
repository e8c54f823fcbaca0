// SPDX-License-Identifier: Apache-2.0
// The inner loops of the recurrence's backward pass: whole rows of channels, from the last step to the first,
// with a row of running states in L1. What runs is s = a_{t+1} r_{t+1}: it starts as dh_last, each step makes
// r = g + s of it and then s = a r, and what is left is dh0. So a run of steps acts on s as s <- p s + e, the
// map of the forward pass. Serves the chunked kernel and those across ranks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/scan/segments.hpp"
#include "src/core/dtype.hpp"

namespace bench::scan {

/// Channels that are worked on together: the states and two rows of results, 24 KB in fp32, stay in L1.
inline constexpr std::int64_t kBackStrip = 2048;

/// A block of consecutive steps of one batch entry: rows of `channels` neighbouring elements, `stride`
/// elements apart.
struct BackRowBlock {
  DType dtype = DType::f32;
  const std::byte* a = nullptr;  // first element of the first row
  const std::byte* g = nullptr;
  const std::byte* h = nullptr;
  const std::byte* h_before = nullptr;  // h before the first row, in the state's type; null: the row before h
  std::byte* da = nullptr;              // outputs; not touched by carry_rows_back
  std::byte* db = nullptr;
  std::int64_t rows = 0, channels = 0, stride = 0;
  bool streams = false;     // write da and db past the caches; see streams_pay
  bool from_zero = false;   // h before the first row is zero, whatever h_before says
  Segments segments;        // row 0 is their step 0

  /// The same block, only rows [begin, end).
  BackRowBlock slice_rows(std::int64_t begin, std::int64_t end) const;
  /// The same block, only channels [begin, end).
  BackRowBlock slice_channels(std::int64_t begin, std::int64_t end) const;
};

/// Last row first: r = g + state, db <- r, da <- r h_{t-1}, state <- a r; where a packed sequence begins h_{t-1} is zero
/// and so is the state that is left. `state`: `channels` elements of
/// state_dtype(dtype).
void scan_rows_back(const BackRowBlock& block, std::byte* state);

/// The same without outputs: only `state`, and product <- product * prod a. Reads two streams instead of
/// moving five. Nothing behind the first start of a sequence is read: it does not reach the first row.
void carry_rows_back(const BackRowBlock& block, std::byte* product, std::byte* state);

}  // namespace bench::scan
