// SPDX-License-Identifier: Apache-2.0
// The backward pass of naive attention: five products around one launch that goes over the rows of scores; that launch's body as a template over its machine
// (kernels/cuda/machine.cuh), and what the products are told.
//
// S = Q K^T and dP = dO V^T in fp32; row by row delta_i = sum_d dO_id O_id, P_ij = 2^(c s_ij - lse_i log2 e) and dS_ij = P_ij (dP_ij - delta_i), both in the tensors' type;
// dV = P^T dO, dQ = dS K / sqrt(D), dK = dS^T Q / sqrt(D). Query heads of a group lie behind one another, so the sum over them in dK and dV is a longer product.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/attention/naive_products.hpp"

namespace bench::attention {

struct NaiveBackwardJob {
  NaiveJob forward;  // its weights are P; out and lse are given
  const void* dout;
  float* dweights;   // dP (B, H, L, pitch)
  void* dscores;     // dS (B, H, L, pitch) in the tensors' type; in place of dP in fp32
  void *dq, *dk, *dv;
  float scale;       // 1 / sqrt(D)
};

inline cuda::GemmJob dweights_product(const NaiveBackwardJob& job) {
  cuda::GemmJob product = scores_product(job.forward);
  product.a = job.dout;
  product.b = job.forward.attention.v;
  product.c = job.dweights;
  return product;
}

inline cuda::GemmJob dq_product(const NaiveBackwardJob& job) {
  cuda::GemmJob product = output_product(job.forward);
  product.a = job.dscores;
  product.b = job.forward.attention.k;
  product.c = job.dq;
  product.scale = job.scale;
  return product;
}

/// rows^T right, of a group's query heads together: rows (B, H, L, pitch), right (B, H, L, D) -> (B, Hkv, L, D).
inline cuda::GemmJob keys_product(const NaiveJob& job, const void* rows, const void* right, void* result, float scale) {
  const DeviceJob& d = job.attention;
  return {.a = rows,
          .b = right,
          .c = result,
          .m = d.seq,
          .n = d.head_dim,
          .k = d.group * d.seq,
          .pitch_a = job.pitch,
          .pitch_b = d.head_dim,
          .pitch_c = d.head_dim,
          .step_a = d.group * job.scores_step(),
          .step_b = d.group * job.rows_step(),
          .step_c = job.rows_step(),
          .batch = d.batch * d.heads / d.group,
          .scale = scale};
}
inline cuda::GemmJob dv_product(const NaiveBackwardJob& job) { return keys_product(job.forward, job.forward.weights, job.dout, job.dv, 1.0F); }
inline cuda::GemmJob dk_product(const NaiveBackwardJob& job) { return keys_product(job.forward, job.dscores, job.forward.attention.q, job.dk, job.scale); }

/// A warp takes a row, or a block of 256 threads; all columns up to the pitch are written.
template <class M, class T, int kRowThreads>
class NaiveSoftmaxBackward {
 public:
  static constexpr int kThreads = kRowThreads == 32 ? 128 : kRowThreads;
  static constexpr int kSharedBytes = 0;

  static BS_HOST_DEVICE int blocks(const NaiveBackwardJob& job) {
    constexpr int kEach = kThreads / kRowThreads;
    const DeviceJob& d = job.forward.attention;
    return (d.batch * d.heads * d.seq + kEach - 1) / kEach;
  }

  BS_DEVICE explicit NaiveSoftmaxBackward(const NaiveBackwardJob& job) : job_(job), at_(M::block() * (kThreads / kRowThreads) + M::thread() / kRowThreads) {}

  BS_DEVICE void run() const {
    const DeviceJob& d = job_.forward.attention;
    if (at_ >= d.batch * d.heads * d.seq) return;  // whole warps of the last block
    const int row = at_ % d.seq;
    const RowMask mask = mask_of_head(d, at_ / d.seq);
    const int first = mask.first(row), end = mask.end(row);
    const float delta = row_delta(), shift = d.lse[at_] * static_cast<float>(kLog2E);
    for (int column = M::thread() % kRowThreads * 4; column < job_.forward.pitch; column += kRowThreads * 4) take(column, first, end, delta, shift);
  }

 private:
  struct alignas(16) Four {
    float x[4];
  };
  struct alignas(8) TwoWords {
    std::uint32_t word[2];
  };

  /// Every warp of a row works it out for itself: D is short.
  BS_DEVICE float row_delta() const {
    const DeviceJob& d = job_.forward.attention;
    const T* const dout = static_cast<const T*>(job_.dout) + static_cast<std::int64_t>(at_) * d.head_dim;
    const T* const out = static_cast<const T*>(d.out) + static_cast<std::int64_t>(at_) * d.head_dim;
    float sum = 0.0F;
    if constexpr (std::is_same_v<T, float>) {
      for (int i = M::thread() % 32; i < d.head_dim; i += 32) sum += dout[i] * out[i];
    } else {
      for (int i = M::thread() % 32 * 2; i < d.head_dim; i += 64) {
        const std::uint32_t a = *reinterpret_cast<const std::uint32_t*>(dout + i), b = *reinterpret_cast<const std::uint32_t*>(out + i);
        sum += M::template low<T>(a) * M::template low<T>(b) + M::template high<T>(a) * M::template high<T>(b);
      }
    }
    BS_UNROLL
    for (int lanes = 16; lanes > 0; lanes /= 2) sum += M::shuffle_xor(sum, lanes);
    return sum;
  }

  /// Four neighbouring columns. Weights are rounded for the product with dO, not for dS.
  BS_DEVICE void take(int column, int first, int end, float delta, float shift) const {
    const std::int64_t at = static_cast<std::int64_t>(at_) * job_.forward.pitch + column;
    float p[4] = {}, ds[4] = {};
    if (column < end && column + 4 > first) {
      const Four scores = *reinterpret_cast<const Four*>(job_.forward.scores + at), dweights = *reinterpret_cast<const Four*>(job_.dweights + at);
      BS_UNROLL
      for (int j = 0; j < 4; ++j) {
        if (column + j < first || column + j >= end) continue;
        p[j] = M::exp2(scores.x[j] * job_.forward.attention.scale_log2 - shift);
        ds[j] = p[j] * (dweights.x[j] - delta);
      }
    }
    keep(static_cast<T*>(job_.forward.weights) + at, p);
    keep(static_cast<T*>(job_.dscores) + at, ds);
  }
  BS_DEVICE static void keep(T* to, const float (&x)[4]) {
    if constexpr (std::is_same_v<T, float>)
      *reinterpret_cast<Four*>(to) = {{x[0], x[1], x[2], x[3]}};
    else
      *reinterpret_cast<TwoWords*>(to) = {{M::template pack<T>(x[0], x[1]), M::template pack<T>(x[2], x[3])}};
  }

  NaiveBackwardJob job_;
  int at_;  // row, over batch and heads
};

}  // namespace bench::attention
