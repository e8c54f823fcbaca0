// SPDX-License-Identifier: Apache-2.0
// Rows of all heads from one tensor to another on a device: what the all-to-alls of Ulysses are packed and unpacked with. The body only, as in
// flash_mma.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/function.hpp"

namespace bench::attention {

/// Where heads of a tensor (batch, heads, rows, row_bytes) lie, in bytes; which row is meant by number i: rows[i], or i itself where that is null.
struct RowPlace {
  std::byte* data;
  std::int64_t batch_bytes, head_bytes;
  const std::int32_t* rows;
};

struct RowMove {
  RowPlace from, to;
  int batch, heads, rows, row_bytes;
  std::int64_t words(int word) const { return static_cast<std::int64_t>(batch) * heads * rows * (row_bytes / word); }
};

/// A thread moves kWord bytes: 16, or 4 where a row is one fp32 number.
template <class M, int kWord>
class MoveRows {
 public:
  static constexpr int kThreads = 256;
  static int blocks(const RowMove& move) { return static_cast<int>((move.words(kWord) + kThreads - 1) / kThreads); }

  BS_DEVICE static void run(const RowMove& move) {
    const int words = move.row_bytes / kWord;
    const std::int64_t at = static_cast<std::int64_t>(M::block()) * kThreads + M::thread();
    const int word = static_cast<int>(at % words);
    const std::int64_t row_of_all = at / words, head_of_all = row_of_all / move.rows;
    const int row = static_cast<int>(row_of_all % move.rows), head = static_cast<int>(head_of_all % move.heads);
    const auto batch = static_cast<int>(head_of_all / move.heads);
    if (batch >= move.batch) return;
    *place(move.to, batch, head, row, move.row_bytes, word) = *place(move.from, batch, head, row, move.row_bytes, word);
  }

 private:
  struct alignas(kWord) Word {
    std::uint32_t x[kWord / 4];
  };
  BS_DEVICE static Word* place(const RowPlace& in, int batch, int head, int row, int row_bytes, int word) {
    const std::int64_t number = in.rows != nullptr ? in.rows[row] : row;
    return reinterpret_cast<Word*>(in.data + batch * in.batch_bytes + head * in.head_bytes + number * row_bytes) + word;
  }
};

}  // namespace bench::attention
