// SPDX-License-Identifier: Apache-2.0
// The vector engine of the selective scan in fp32 arithmetic: strips of neighbouring channels, lanes =
// channels, states in registers. Serves the chunked kernel and the one across ranks. Layouts in here are
// row-major as in the tensors; packing is the engine's own affair.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/isa.hpp"
#include "kernels/scan/scan.hpp"
#include "kernels/scan/selective.hpp"

namespace bench::scan {

inline constexpr std::int64_t kLanes = 16;          // channels that are packed side by side
inline constexpr std::int64_t kMaxStates = 256;     // N up to this
inline constexpr std::int64_t kStripFloats = 16384;  // states of a strip: channels * N at most, 64 KB

/// One rank's tensors: u, delta, z, B, C, out of `dtype` (fp32, bf16 or fp16), the others fp32.
struct SelectiveShare {
  DType dtype = DType::f32;
  std::int64_t rows = 0, channels = 0, states = 0, groups = 0;
  const std::byte *u = nullptr, *delta = nullptr, *z = nullptr, *b = nullptr, *c = nullptr;
  const float *a = nullptr, *skip = nullptr, *bias = nullptr;
  std::byte* out = nullptr;
  Segments segments;
};
SelectiveShare make_share(const SelectiveProblem& problem, Tensors& tensors, int rank = 0);

/// Neighbouring channels of one group and one batch entry.
struct Strip {
  std::int64_t entry = 0, group = 0;
  Range channels;
};
/// The widest strip that the engine takes for N states: 1024 channels, fewer for N > 16. Narrow ones are slower: rows lie
/// a page apart or so, and the hardware's prefetchers need a run of lines in each (on a core with 2 MB of L2 strips of
/// 256 channels took 1.1 to 1.3 times as long, of 512 up to 1.2 times).
std::int64_t widest_strip(std::int64_t states);
/// The width that leaves no thread of the problem much more than its share: the widest, or narrower by halves down to
/// kNarrowestStrip where that makes the longest share a tenth shorter.
inline constexpr std::int64_t kNarrowestStrip = 32;
std::int64_t strip_width(const SelectiveProblem& p);
/// How many strips of at most `width` channels cover one batch entry, and strip number i, entry by entry.
std::int64_t strips_per_entry(const SelectiveShare& share, std::int64_t width);
Strip strip_at(const SelectiveShare& share, std::int64_t width, std::int64_t i);

/// Runs the steps in `rows` of one strip: h (C, N) of the strip's batch entry holds the states before and
/// after, `out` is written.
void scan_strip(const SelectiveShare& share, const Strip& strip, Range rows, float* h, Isa isa = best_isa());

/// The same without output: advances h, and writes the sum of d over `rows` to delta_sum (C), kForgets where a packed
/// sequence begins among them; what lies before its start is left out then.
void carry_strip(const SelectiveShare& share, const Strip& strip, Range rows, float* delta_sum, float* h,
                 Isa isa = best_isa());

/// later_h <- exp(A * delta_sum) * earlier_h + later_h for `channels` rows of N states: the state after a run
/// of steps whose carry from zero is (delta_sum, later_h), if it starts from earlier_h. Left as it is where delta_sum is
/// kForgets.
void apply_carry(const float* a, std::int64_t channels, std::int64_t states, const float* delta_sum,
                 const float* earlier_h, float* later_h);

}  // namespace bench::scan
