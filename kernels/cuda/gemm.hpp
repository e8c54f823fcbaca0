// SPDX-License-Identifier: Apache-2.0
// What a batched product of matrices on a device is told, and which of its tiles it computes. Bodies: gemm_mma.hpp (16-bit elements, tensor
// cores) and gemm_fma.hpp (fp32, ordinary lanes).
//
// C (M, N) = scale A B for each item of a batch; accumulation in fp32. Rows behind an operand's end count as zeros.
#pragma once

#include <cstdint>

#include "kernels/cuda/function.hpp"

namespace bench::cuda {

/// How the operands lie in memory, row by row. n: as the product has it, t: the other way round.
enum class GemmForm {
  nt,  // A (M, K), B (N, K)
  nn,  // A (M, K), B (K, N)
  tn,  // A (K, M), B (K, N)
};

/// For 16-bit elements all pitches are multiples of 8; what lies in A's rows between K and the pitch must be finite, and C's may be written
/// between N and the next multiple of 8.
struct GemmJob {
  const void *a, *b;
  void* c;
  int m, n, k;
  int pitch_a, pitch_b, pitch_c;           // elements from row to row
  std::int64_t step_a, step_b, step_c;     // elements from item to item
  int batch = 1;
  int share = 1;                           // so many items in a row have one B
  float scale = 1.0F;

  BS_HOST_DEVICE int tiles(int rows, int columns) const { return (m + rows - 1) / rows * ((n + columns - 1) / columns) * batch; }
};

/// Items that share B as one with more rows: for libraries that know no sharing. nt and nn, and items that lie behind one another.
BS_HOST_DEVICE GemmJob stacked(GemmJob job) {
  job.m *= job.share;
  job.batch /= job.share;
  job.step_a *= job.share;
  job.step_c *= job.share;
  job.share = 1;
  return job;
}

/// The same memory as a product of column-major matrices, C^T (m, n) = op(left) op(right), as BLAS has it.
struct ColumnMajorGemm {
  bool transpose_left, transpose_right;
  int m, n, k;
  const void *left, *right;
  int pitch_left, pitch_right;
  std::int64_t step_left, step_right;
};
inline ColumnMajorGemm column_major(const GemmJob& job, GemmForm form) {
  return {form == GemmForm::nt, form == GemmForm::tn, job.n, job.m, job.k, job.b, job.a, job.pitch_b, job.pitch_a, job.step_b, job.step_a};
}

/// Positions along K: first .. end - 1.
struct GemmSteps {
  int first, end;
};

/// The tile of one block: neighbours in a row of tiles run together, the last rows first.
struct GemmPlace {
  int item, row0, column0;

  BS_HOST_DEVICE GemmPlace(const GemmJob& job, int block, int rows, int columns) {
    const int across = (job.n + columns - 1) / columns, down = (job.m + rows - 1) / rows;
    column0 = block % across * columns;
    row0 = (down - 1 - block / across % down) * rows;
    item = block / across / down;
  }
};

/// All tiles, all of K. Others say what they leave out; both are asked with the tile's size.
struct EveryTile {
  BS_HOST_DEVICE bool skips(const GemmPlace&, int /*rows*/, int /*columns*/) const { return false; }
  BS_HOST_DEVICE GemmSteps steps(const GemmPlace&, int /*rows*/, int k) const { return {0, k}; }
};

/// What becomes of a scaled sum in a column of C before it is stored: nothing. Others add a bias, say.
struct AsSummed {
  BS_HOST_DEVICE float operator()(float sum, int /*column*/) const { return sum; }
};

}  // namespace bench::cuda
