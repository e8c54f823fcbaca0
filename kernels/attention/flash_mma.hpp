// SPDX-License-Identifier: Apache-2.0
// One block's work of attention on tensor cores of sm_80 and later (mma.sync), for 128 threads: kRows query rows of one head against
// all keys they see. The body only: flash_mma_cuda.cu launches it, and a test runs it on the host.
//
// Algorithm: FlashAttention-2 (Dao 2023). Each of four warps owns kRows / 4 rows and all keys, so that a row's softmax needs the four
// lanes of a quad and no shared memory. Keys and values come in blocks of kKeys, by asynchronous copies: V flies while the scores are
// computed, the next K while P V is. Blocks are taken from the last one to the first: only those at the ends of the visible range run
// masked code. Weights go from the accumulators of Q K^T straight into the operand of P V: two neighbouring 8-column accumulators,
// rounded to 16 bits, are one 16-column operand. Softmax in base 2; the maximum is kept of the raw scores.
//
// Shared memory: Q, K and V tiles, swizzled (kernels/cuda/swizzle.hpp). Head dimensions below kDim are filled up with zeros.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/attention/attention.hpp"
#include "kernels/attention/key_blocks.hpp"
#include "kernels/cuda/swizzle.hpp"
#include "src/device/function.hpp"

namespace bench::attention {

/// q (B, H, L, D), k v (B, Hkv, L, D) -> out (B, H, L, D), lse (B, H, L); rows of whole 16 bytes.
struct FlashMmaJob {
  const void *q, *k, *v;
  void* out;
  float* lse;
  const std::int32_t* key_lengths;  // (B), or null: all L
  int batch, heads, group, seq, head_dim, window;
  bool causal;
  float scale_log2;  // log2(e) / sqrt(D)
};

inline FlashMmaJob flash_mma_job(const AttentionProblem& p, const void* q, const void* k, const void* v, void* out, float* lse,
                                 const std::int32_t* key_lengths) {
  const auto small = [](std::int64_t n) { return static_cast<int>(n); };
  return {q, k, v, out, lse, key_lengths, small(p.batch), small(p.heads), small(p.group()), small(p.seq), small(p.head_dim),
          small(std::min(p.window, p.seq)), p.causal, static_cast<float>(p.scale() * 1.4426950408889634)};
}

template <class M, class T, int kDim, int kRows, int kKeys>
class FlashMma {
 public:
  static constexpr int kThreads = 128;
  static constexpr int kSharedBytes = cuda::tile_bytes(kRows + 2 * kKeys, kDim);

  /// Blocks of a launch: those with the most keys to see come first.
  static BS_HOST_DEVICE int blocks(const FlashMmaJob& job) { return (job.seq + kRows - 1) / kRows * job.batch * job.heads; }

  BS_DEVICE explicit FlashMma(const FlashMmaJob& job)
      : job_(job),
        head_(M::block() % (job.batch * job.heads)),
        row0_((blocks(job) - 1 - M::block()) / (job.batch * job.heads) * kRows),
        q_(M::shared()),
        k_(q_ + cuda::tile_bytes(kRows, kDim)),
        v_(k_ + cuda::tile_bytes(kKeys, kDim)) {}

  BS_DEVICE void run() {
    const int sequence = head_ / job_.heads;
    const RowMask mask{job_.seq, job_.key_lengths != nullptr ? job_.key_lengths[sequence] : job_.seq, job_.window, job_.causal};
    const KeyBlocks keys(mask, row0_, kRows, kKeys);
    clear();
    if (keys.end() > keys.begin()) attend(keys);
    finish();
  }

 private:
  static constexpr int kTiles = kRows / 64;  // of 16 rows, a warp
  static constexpr std::uint32_t kTileStep = 16 * cuda::kPageChunks * cuda::kChunkBytes;  // from a page's rows to those 16 below
  static constexpr float kNothing = -INFINITY;

  BS_DEVICE static int lane() { return M::thread() % 32; }
  /// The first of the two rows of tile `tile` that this lane holds; the other is 8 below.
  BS_DEVICE int row_of(int tile) const { return row0_ + (M::thread() / 32 * kTiles + tile) * 16 + lane() / 4; }
  BS_DEVICE std::int64_t rows_before() const { return static_cast<std::int64_t>(head_) * job_.seq; }
  BS_DEVICE std::int64_t keys_before() const {
    const int kv_heads = job_.heads / job_.group;
    return static_cast<std::int64_t>(head_ / job_.heads * kv_heads + head_ % job_.heads / job_.group) * job_.seq;
  }

  BS_DEVICE void clear() {
    BS_UNROLL
    for (int tile = 0; tile < kTiles; ++tile) {
      BS_UNROLL
      for (int half = 0; half < 2; ++half) {
        most_[tile][half] = kNothing;
        sum_[tile][half] = 0.0F;
      }
      BS_UNROLL
      for (int n = 0; n < kDim / 8; ++n) {
        BS_UNROLL
        for (int i = 0; i < 4; ++i) out_[tile][n][i] = 0.0F;
      }
    }
  }

  /// Asks for rows first .. first + kCount - 1 of `tensor`; what lies behind row L or column D is zero. Eight threads a 128-byte row; a
  /// thread's chunk is the same in all its rows.
  template <int kCount>
  BS_DEVICE void fetch(std::uint32_t to, const void* tensor, std::int64_t before, int first) const {
    constexpr int kPages = kDim / cuda::kPageColumns, kStep = kThreads / 8 / kPages;
    const int chunk = M::thread() / 8 % kPages * cuda::kPageChunks + M::thread() % 8, column = chunk * cuda::kChunkElements;
    const int row = M::thread() / 8 / kPages;
    const auto* from = static_cast<const T*>(tensor) + (before + first + row) * job_.head_dim + column;
    const int rows = column < job_.head_dim ? job_.seq - first - row : 0;  // that are there, from this thread's first one
    BS_UNROLL
    for (int i = 0; i < kCount / kStep; ++i) {
      const bool there = i * kStep < rows;
      M::copy16(to + cuda::swizzled(row + i * kStep, chunk, kCount), there ? from : tensor, there);
      from += kStep * job_.head_dim;
    }
    M::commit();
  }

  BS_DEVICE void attend(const KeyBlocks& keys) {
    fetch<kRows>(q_, job_.q, rows_before(), row0_);
    fetch<kKeys>(k_, job_.k, keys_before(), (keys.end() - 1) * kKeys);
    for (int block = keys.end() - 1; block >= keys.begin(); --block) {
      M::template wait<0>();
      M::sync();  // K is here for all, and nobody reads the old V
      fetch<kKeys>(v_, job_.v, keys_before(), block * kKeys);
      score();
      M::template wait<0>();
      M::sync();  // V is here for all, and nobody reads this K
      if (block > keys.begin()) fetch<kKeys>(k_, job_.k, keys_before(), (block - 1) * kKeys);
      if (keys.hides_some(block)) hide(keys.mask, block * kKeys);
      soften();
      weigh();
    }
  }

  /// scores_ = Q K^T, unscaled.
  BS_DEVICE void score() {
    BS_UNROLL
    for (int tile = 0; tile < kTiles; ++tile) {
      BS_UNROLL
      for (int n = 0; n < kKeys / 8; ++n) {
        BS_UNROLL
        for (int i = 0; i < 4; ++i) scores_[tile][n][i] = 0.0F;
      }
    }
    const std::uint32_t q_at = q_ + cuda::swizzled(M::thread() / 32 * kTiles * 16 + lane() % 16, lane() / 16, kRows);
    const std::uint32_t k_at = k_ + cuda::swizzled(lane() % 8 + lane() / 16 * 8, lane() / 8 % 2, kKeys);
    BS_UNROLL
    for (int d = 0; d < kDim / 16; ++d) {
      std::uint32_t q[kTiles][4];
      BS_UNROLL
      for (int tile = 0; tile < kTiles; ++tile) M::load_matrix(q[tile], cuda::moved_by_pairs(q_at, d, kRows) + tile * kTileStep);
      BS_UNROLL
      for (int n = 0; n < kKeys / 16; ++n) {
        std::uint32_t k[4];  // keys 16 n .. + 7, columns 16 d .. + 7 and + 8 .. + 15; then the next eight keys
        M::load_matrix(k, cuda::moved_by_pairs(k_at, d, kKeys) + n * kTileStep);
        BS_UNROLL
        for (int tile = 0; tile < kTiles; ++tile) {
          M::template multiply_add<T>(scores_[tile][2 * n], q[tile], k[0], k[1]);
          M::template multiply_add<T>(scores_[tile][2 * n + 1], q[tile], k[2], k[3]);
        }
      }
    }
  }

  /// Minus infinity where a row does not see a key.
  BS_DEVICE void hide(const RowMask& mask, int key0) {
    BS_UNROLL
    for (int tile = 0; tile < kTiles; ++tile) {
      BS_UNROLL
      for (int half = 0; half < 2; ++half) {
        const int row = row_of(tile) + half * 8, first = mask.first(row), end = mask.end(row);
        BS_UNROLL
        for (int n = 0; n < kKeys / 8; ++n) {
          BS_UNROLL
          for (int i = 0; i < 2; ++i) {
            const int key = key0 + n * 8 + lane() % 4 * 2 + i;
            if (key < first || key >= end) scores_[tile][n][2 * half + i] = kNothing;
          }
        }
      }
    }
  }

  /// scores_ become weights 2^(c (s - max)); sum_ and out_ follow the new maximum.
  BS_DEVICE void soften() {
    BS_UNROLL
    for (int tile = 0; tile < kTiles; ++tile) {
      BS_UNROLL
      for (int half = 0; half < 2; ++half) {
        float most = most_[tile][half];
        BS_UNROLL
        for (int n = 0; n < kKeys / 8; ++n) most = fmaxf(most, fmaxf(scores_[tile][n][2 * half], scores_[tile][n][2 * half + 1]));
        most = fmaxf(most, M::shuffle_xor(most, 1));
        most = fmaxf(most, M::shuffle_xor(most, 2));
        const float shift = most == kNothing ? 0.0F : most * job_.scale_log2;  // a row that has seen no key yet
        const float shrink = M::exp2(most_[tile][half] * job_.scale_log2 - shift);
        most_[tile][half] = most;
        float sum = sum_[tile][half] * shrink;
        BS_UNROLL
        for (int n = 0; n < kKeys / 8; ++n) {
          BS_UNROLL
          for (int i = 2 * half; i < 2 * half + 2; ++i) {
            scores_[tile][n][i] = M::exp2(scores_[tile][n][i] * job_.scale_log2 - shift);
            sum += scores_[tile][n][i];
          }
        }
        sum_[tile][half] = sum;
        BS_UNROLL
        for (int n = 0; n < kDim / 8; ++n) {
          out_[tile][n][2 * half] *= shrink;
          out_[tile][n][2 * half + 1] *= shrink;
        }
      }
    }
  }

  /// out_ += P V.
  BS_DEVICE void weigh() {
    const std::uint32_t v_at = v_ + cuda::swizzled(lane() % 16, lane() / 16, kKeys);
    BS_UNROLL
    for (int n = 0; n < kKeys / 16; ++n) {
      std::uint32_t p[kTiles][4];
      BS_UNROLL
      for (int tile = 0; tile < kTiles; ++tile) {
        BS_UNROLL
        for (int i = 0; i < 4; ++i) p[tile][i] = M::template pack<T>(scores_[tile][2 * n + i / 2][i % 2 * 2], scores_[tile][2 * n + i / 2][i % 2 * 2 + 1]);
      }
      BS_UNROLL
      for (int d = 0; d < kDim / 16; ++d) {
        std::uint32_t v[4];  // columns 16 d .. + 7 of keys 16 n .. + 7 and + 8 .. + 15; then the next eight columns
        M::load_matrix_transposed(v, cuda::moved_by_pairs(v_at, d, kKeys) + n * kTileStep);
        BS_UNROLL
        for (int tile = 0; tile < kTiles; ++tile) {
          M::template multiply_add<T>(out_[tile][2 * d], p[tile], v[0], v[1]);
          M::template multiply_add<T>(out_[tile][2 * d + 1], p[tile], v[2], v[3]);
        }
      }
    }
  }

  BS_DEVICE void finish() {
    BS_UNROLL
    for (int tile = 0; tile < kTiles; ++tile) {
      BS_UNROLL
      for (int half = 0; half < 2; ++half) {
        float sum = sum_[tile][half];
        sum += M::shuffle_xor(sum, 1);
        sum += M::shuffle_xor(sum, 2);
        const int row = row_of(tile) + half * 8;
        if (row >= job_.seq) continue;
        const float share = sum > 0.0F ? 1.0F / sum : 0.0F;
        write_row(tile, half, share, static_cast<T*>(job_.out) + (rows_before() + row) * job_.head_dim);
        if (lane() % 4 == 0)
          job_.lse[rows_before() + row] = sum > 0.0F ? most_[tile][half] * job_.scale_log2 * kLn2 + M::log(sum) : kNothing;
      }
    }
  }

  BS_DEVICE void write_row(int tile, int half, float share, T* row) const {
    BS_UNROLL
    for (int n = 0; n < kDim / 8; ++n) {
      const int column = n * 8 + lane() % 4 * 2;
      if (column < job_.head_dim)
        *reinterpret_cast<std::uint32_t*>(row + column) = M::template pack<T>(out_[tile][n][2 * half] * share, out_[tile][n][2 * half + 1] * share);
    }
  }

  static constexpr float kLn2 = 0x1.62e43p-1F;

  FlashMmaJob job_;
  int head_, row0_;
  std::uint32_t q_, k_, v_;
  float scores_[kTiles][kKeys / 8][4], out_[kTiles][kDim / 8][4];
  float most_[kTiles][2], sum_[kTiles][2];  // of this lane's rows; sums of its own columns only, until the end
};

}  // namespace bench::attention
