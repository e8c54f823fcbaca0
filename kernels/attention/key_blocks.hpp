// SPDX-License-Identifier: Apache-2.0
// Which keys a query row sees, and which blocks of keys a block of rows has to look at: arithmetic that a device's kernel and its test
// on the host share. The same rule as AttentionProblem::visible.
//
// Packed sequences need no tiles of their own: a block of rows from two of them looks at the keys of both and hides from each row the
// other's, which is as many products as two blocks that are half empty would take.
#pragma once

#include <cstdint>

#include "kernels/cuda/function.hpp"

namespace bench::attention {

struct RowMask {
  int seq = 0;     // L, rows
  int keys = 0;    // n_b, valid keys of the batch entry
  int window = 0;  // w; 0: none
  bool causal = false;
  int shift = 0;                         // Lk - L: row i stands at key i + shift
  const std::int32_t* bounds = nullptr;  // (L, 2): first key of a row's packed sequence, and the one behind its last; null: one sequence

  /// The first key that row `row` sees, and the one behind the last; an empty range where it sees none. Both grow with the row.
  BS_HOST_DEVICE int first(int row) const {
    const int begin = bounds != nullptr ? bounds[2 * held(row)] : 0, edge = row + shift - window + 1;
    return window > 0 && edge > begin ? edge : begin;
  }
  BS_HOST_DEVICE int end(int row) const {
    int last = keys;
    if (bounds != nullptr && bounds[2 * held(row) + 1] < last) last = bounds[2 * held(row) + 1];
    const int at = row + shift;
    if (causal && at + 1 < last) last = at + 1;
    if (window > 0 && at + window < last) last = at + window;
    return last > 0 ? last : 0;
  }

 private:
  /// Rows behind the last one of a block see what it sees.
  BS_HOST_DEVICE int held(int row) const { return row < seq ? row : seq - 1; }
};

/// Rows row0 .. row0 + rows - 1, of which those from L on do not count, against keys in blocks of `size`.
class KeyBlocks {
 public:
  RowMask mask;

  KeyBlocks() = default;
  BS_HOST_DEVICE KeyBlocks(const RowMask& m, int first_row, int rows, int block) : mask(m), size_(block) {
    const int last_row = (first_row + rows < m.seq ? first_row + rows : m.seq) - 1;
    begin_ = mask.first(first_row) / size_;
    end_ = (mask.end(last_row) + size_ - 1) / size_;
    seen_by_all_ = mask.first(last_row);
    end_of_seen_by_all_ = mask.end(first_row);
  }

  /// Blocks begin() .. end() - 1 hold every key that any of the rows sees; none when end() <= begin().
  BS_HOST_DEVICE int begin() const { return begin_; }
  BS_HOST_DEVICE int end() const { return end_; }
  /// False when all rows see all keys of the block.
  BS_HOST_DEVICE bool hides_some(int block) const { return block * size_ < seen_by_all_ || (block + 1) * size_ > end_of_seen_by_all_; }

 private:
  int size_, begin_, end_, seen_by_all_, end_of_seen_by_all_;
};

}  // namespace bench::attention
