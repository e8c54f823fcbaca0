// SPDX-License-Identifier: Apache-2.0
// Which keys a query row sees, and which blocks of keys a block of rows has to look at: arithmetic that a device's kernel and its test
// on the host share. The same rule as AttentionProblem::visible.
#pragma once

#include "kernels/cuda/function.hpp"

namespace bench::attention {

struct RowMask {
  int seq = 0;     // L
  int keys = 0;    // n_b, valid keys of the sequence
  int window = 0;  // w; 0: none
  bool causal = false;

  /// The first key that row `row` sees, and the one behind the last; an empty range where it sees none. Both grow with the row.
  BS_HOST_DEVICE int first(int row) const { return window > 0 && row >= window ? row - window + 1 : 0; }
  BS_HOST_DEVICE int end(int row) const {
    int last = seq;
    if (causal && row + 1 < last) last = row + 1;
    if (window > 0 && row + window < last) last = row + window;
    return keys < last ? keys : last;
  }
};

/// Rows row0 .. row0 + rows - 1, of which those from L on do not count, against keys in blocks of `size`.
struct KeyBlocks {
  RowMask mask;
  int row0, last_row, size;

  KeyBlocks() = default;
  BS_HOST_DEVICE KeyBlocks(const RowMask& m, int first_row, int rows, int block)
      : mask(m), row0(first_row), last_row((first_row + rows < m.seq ? first_row + rows : m.seq) - 1), size(block) {}

  /// Blocks begin() .. end() - 1 hold every key that any of the rows sees; none when end() <= begin().
  BS_HOST_DEVICE int begin() const { return mask.first(row0) / size; }
  BS_HOST_DEVICE int end() const { return (mask.end(last_row) + size - 1) / size; }
  /// False when all rows see all keys of the block.
  BS_HOST_DEVICE bool hides_some(int block) const {
    return block * size < mask.first(last_row) || (block + 1) * size > mask.end(row0);
  }
};

}  // namespace bench::attention
