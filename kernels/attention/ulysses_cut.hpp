// SPDX-License-Identifier: Apache-2.0
// Both passes of Ulysses on a device: who has which heads and rows, and the moves between a share, a message and the whole sequence of a piece's heads. What
// launches is handed in, so that a test plays it with neither device nor CUDA; pointers are the device's, and whoever has its memory sets them.
//
// reshard_blocks.hpp's counterpart: extract and insert whole heads on the side of the share, scatter and gather positions on the side of the sequence. Rows are
// whole 16 bytes but for numbers a row, which come last in a message.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "kernels/attention/head_split.hpp"
#include "kernels/attention/row_move.hpp"
#include "kernels/attention/shares.hpp"
#include "kernels/attention/ulysses_schedule.hpp"

namespace bench::attention {

/// What a rank knows of the all-to-alls, whatever they carry.
struct UlyssesCut {
  AttentionProblem p;
  std::vector<UlyssesOp> schedule;
  Shares shares;
  int rank = 0;
  HeadRun own;                                   // the rank's heads
  std::byte* slots = nullptr;                    // kUlyssesSlots of slot_bytes
  std::int64_t slot_bytes = 0;                   // of the longest message that any rank sends
  std::vector<std::int32_t> positions;           // of all ranks, one after the other
  std::vector<std::int64_t> positions_at;        // where a rank's begin
  const std::int32_t* positions_data = nullptr;  // them, on the device

  UlyssesCut() = default;
  /// longest(p, heads, rows): bytes of the longer message, inputs or results, about a rank's heads and so many rows.
  template <class Longest>
  UlyssesCut(const AttentionProblem& problem, int own_rank, Longest&& longest)
      : p(problem), schedule(ulysses_schedule(static_cast<int>(p.ranks), own_rank)), shares(p), rank(own_rank), own(rank_heads(p, rank)) {
    for (int r = 0; r < static_cast<int>(p.ranks); ++r) {
      positions_at.push_back(static_cast<std::int64_t>(positions.size()));
      positions.insert(positions.end(), shares.of(r).begin(), shares.of(r).end());
      slot_bytes = std::max<std::int64_t>(slot_bytes, longest(p, rank_heads(p, r), longest_share(p)));
    }
    slot_bytes = (slot_bytes + 255) / 256 * 256;
  }

  int row_bytes() const { return static_cast<int>(p.head_dim) * 2; }
  const std::int32_t* positions_of(int r) const { return positions_data + positions_at[static_cast<std::size_t>(r)]; }
  std::byte* slot(int i) const { return slots + i * slot_bytes; }
};

/// A tensor (B, heads, rows, row_bytes): a share's, a message's part, or a piece's.
struct HeadRows {
  const void* data;  // written only where a move goes to it
  std::int64_t heads, rows;
  int row_bytes;

  std::byte* bytes() const { return static_cast<std::byte*>(const_cast<void*>(data)); }
  std::byte* end(std::int64_t batch) const { return bytes() + batch * heads * rows * row_bytes; }
  /// From head `first` on; row i is which[i], or i.
  RowPlace at(std::int64_t first, const std::int32_t* which = nullptr) const {
    return {bytes() + first * rows * row_bytes, heads * rows * row_bytes, rows * row_bytes, which};
  }
};

/// `Launch` has move(const RowMove&).
template <class Launch>
class HeadMoves {
 public:
  HeadMoves(const UlyssesCut& cut, const Launch& launch) : cut_(cut), launch_(launch) {}

  /// A tensor of the rank's share; one of a piece, over the whole sequence.
  HeadRows share(const void* tensor, std::int64_t heads, int row_bytes) const { return {tensor, heads, cut_.shares.length(cut_.rank), row_bytes}; }
  HeadRows whole(const void* tensor, std::int64_t heads, int row_bytes) const { return {tensor, heads, cut_.p.seq, row_bytes}; }

  /// `count` heads of a share's tensor, from `first` on, become the next part of a message. Returns where the one after it begins, as insert does.
  std::byte* extract(const HeadRows& share, std::int64_t first, std::int64_t count, std::byte* message) const {
    const HeadRows part{message, count, cut_.shares.length(cut_.rank), share.row_bytes};
    move(share.at(first), part.at(0), count, part.rows, part.row_bytes);
    return part.end(cut_.p.batch);
  }
  std::byte* insert(std::byte* message, const HeadRows& share, std::int64_t first, std::int64_t count) const {
    const HeadRows part{message, count, cut_.shares.length(cut_.rank), share.row_bytes};
    move(part.at(0), share.at(first), count, part.rows, part.row_bytes);
    return part.end(cut_.p.batch);
  }
  /// The piece's heads of a message's part, which begin at its head `offset`, go to the positions of its sender; and back.
  void scatter(const HeadRows& part, std::int64_t offset, const HeadRows& piece, int from) const {
    move(part.at(offset), piece.at(0, cut_.positions_of(from)), piece.heads, part.rows, part.row_bytes);
  }
  void gather(const HeadRows& piece, int to, const HeadRows& part, std::int64_t offset) const {
    move(piece.at(0, cut_.positions_of(to)), part.at(offset), piece.heads, part.rows, part.row_bytes);
  }

 private:
  void move(const RowPlace& from, const RowPlace& to, std::int64_t heads, std::int64_t rows, int row_bytes) const {
    if (rows > 0) launch_.move({from, to, static_cast<int>(cut_.p.batch), static_cast<int>(heads), static_cast<int>(rows), row_bytes});
  }

  const UlyssesCut& cut_;
  const Launch& launch_;
};

}  // namespace bench::attention
