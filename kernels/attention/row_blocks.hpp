// SPDX-License-Identifier: Apache-2.0
// Which blocks of rows see a block of keys: KeyBlocks the other way round, for a backward pass that walks the rows. What a row sees grows with the row at
// both ends, so the answer is found by bisection, whatever the mask.
#pragma once

#include "kernels/attention/key_blocks.hpp"

namespace bench::attention {

/// Blocks of `rows` query rows, `count` of them, against blocks of `keys` keys. Block i sees block j exactly where KeyBlocks(i) says so.
struct RowBlocks {
  RowMask mask;
  int rows, keys, count;

  BS_HOST_DEVICE KeyBlocks seen_by(int row_block) const { return KeyBlocks(mask, row_block * rows, rows, keys); }

  /// Row blocks begin(j) .. end(j) - 1 see key block j; none when end <= begin.
  BS_HOST_DEVICE int begin(int key_block) const {
    return first_where([&](int i) { return seen_by(i).end() > key_block; });
  }
  BS_HOST_DEVICE int end(int key_block) const {
    return first_where([&](int i) { return seen_by(i).begin() > key_block; });
  }

 private:
  /// The first row block of which `holds` is true, as it is of all behind it; `count` when there is none.
  template <class F>
  BS_HOST_DEVICE int first_where(F&& holds) const {
    int low = 0, high = count;
    while (low < high) {
      const int middle = (low + high) / 2;
      if (holds(middle))
        high = middle;
      else
        low = middle + 1;
    }
    return low;
  }
};

}  // namespace bench::attention
