// SPDX-License-Identifier: Apache-2.0
// Variable-length batches: sequences packed one behind the other along the steps of a batch entry, as cu_seqlens has them
// elsewhere. Where one begins the state is zero, as if that step's decay were: h0 goes into the first sequence only, h_last
// comes from the last, and no step depends on another sequence. All batch entries are cut alike.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/problem.hpp"
#include "kernels/scan/scan.hpp"

namespace bench::scan {

/// The sequences as a run of steps sees them, say a rank's share, whose first step is number 0. The whole problem's first
/// step is no start: h0 lies before it.
struct Segments {
  std::span<const std::int64_t> starts;  // in the whole problem, ascending; none: one sequence
  std::int64_t offset = 0;               // step 0 in the whole problem

  Segments from(std::int64_t step) const { return {starts, offset + step}; }
  bool start_at(std::int64_t t) const { return first_start({t, t + 1}) == t; }
  /// The first start in `steps`, or steps.end.
  std::int64_t first_start(Range steps) const {
    const auto found = std::ranges::lower_bound(starts, offset + steps.begin);
    return found == starts.end() ? steps.end : std::min(*found - offset, steps.end);
  }
  /// The last start in `steps`, or -1.
  std::int64_t last_start(Range steps) const {
    const auto behind = std::ranges::lower_bound(starts, offset + steps.end);
    const std::int64_t t = behind == starts.begin() ? -1 : *(behind - 1) - offset;
    return t >= steps.begin ? t : -1;
  }
  /// The piece of [0, end) that begins at t: at most `most` steps, of one sequence.
  Range piece_at(std::int64_t t, std::int64_t end, std::int64_t most) const {
    return {t, first_start({t + 1, end - t > most ? t + most : end})};
  }
  /// The piece that ends before `end`, of the same pieces taken from step 0 on.
  Range piece_before(std::int64_t end, std::int64_t most) const {
    const std::int64_t start = std::max<std::int64_t>(last_start({0, end}), 0);
    return {start + (end - 1 - start) / most * most, end};
  }
  /// Room for the pieces of `rows` steps, whichever they are.
  std::int64_t most_pieces(std::int64_t rows, std::int64_t most) const {
    return ceil_div(rows, most) + static_cast<std::int64_t>(starts.size());
  }
};

/// What the problems of the scans have in common.
struct ScanProblem : Problem {
  std::int64_t batch = 1;            // B
  std::int64_t seq = 2048;           // L, steps of all sequences of an entry together
  std::vector<std::int64_t> starts;  // where all sequences but the first begin, ascending, 1 .. L - 1

  bool backward() const { return pass == "bwd"; }
  Segments segments(std::int64_t rank = 0) const { return {starts, contiguous_begin(seq, ranks, rank)}; }
  /// Steps, of all entries together, whose decay nobody needs.
  double resets() const { return static_cast<double>(batch) * static_cast<double>(starts.size()); }
};

/// batch, seq and segments, which those ops have among their parameters.
ParamSpec segments_param();
void parse_scan(const Params& params, ScanProblem& problem);
/// cu_seqlens (segments + 1): the first step of each sequence, and L.
std::vector<IndexTable> scan_tables(const Problem& problem);

/// Why a kernel that knows one sequence only does not take a problem; empty when it does.
std::string needs_one_sequence(const Problem& problem);

}  // namespace bench::scan
