// SPDX-License-Identifier: Apache-2.0
// A batched product of fp32 matrices by ordinary multiply-adds, where tensor cores would round to TF32; the body as a template over its machine
// (kernels/cuda/machine.cuh).
//
// A block computes 128 x kColumns of C with 256 threads, 8 of K at a time. A thread has eight rows by four or eight columns of C in registers and reads
// both operands from shared memory four elements at a time, so 16 values read serve 64 multiply-adds. The next step's elements are on their way to
// registers meanwhile; two buffers, one barrier a step. Elements are fetched one by one: any pitch, any size.
#pragma once

#include <cstdint>

#include "kernels/cuda/gemm.hpp"

namespace bench::cuda {

template <class M, GemmForm kForm, int kColumns, class Tiles = EveryTile, class Finish = AsSummed>
class GemmFma {
 public:
  static constexpr int kRows = 128, kDepth = 8, kThreads = 256;
  static constexpr int kSharedBytes = 2 * kDepth * (kRows + kColumns + 8) * 4;

  static BS_HOST_DEVICE int blocks(const GemmJob& job) { return job.tiles(kRows, kColumns); }

  BS_DEVICE GemmFma(const GemmJob& job, const Tiles& tiles, const Finish& finish = {})
      : job_(job),
        at_(job, M::block(), kRows, kColumns),
        tiles_(tiles),
        finish_(finish),
        a_(static_cast<const float*>(job.a) + at_.item * job.step_a),
        b_(static_cast<const float*>(job.b) + at_.item / job.share * job.step_b) {}

  BS_DEVICE void run() {
    if (tiles_.skips(at_, kRows, kColumns)) return;
    BS_UNROLL
    for (int i = 0; i < 8; ++i) {
      BS_UNROLL
      for (int j = 0; j < 4 * kFours; ++j) sum_[i][j] = 0.0F;
    }
    multiply_all(tiles_.steps(at_, kRows, job_.k));
    store();
  }

 private:
  static constexpr int kFours = kColumns / 64;                              // of columns, a thread, 64 apart
  static constexpr int kPitchA = kRows + 4, kPitchB = kColumns + 4;         // eight of K side by side meet in no bank
  static constexpr int kEachA = kRows * kDepth / kThreads, kEachB = kColumns * kDepth / kThreads;
  static constexpr int kBufferFloats = kDepth * (kPitchA + kPitchB);
  static constexpr bool kAlongA = kForm != GemmForm::tn, kAlongB = kForm == GemmForm::nt;  // K runs along the rows

  struct alignas(16) Four {
    float x[4];
  };

  /// A tile is kExtent rows (of A) or columns (of B) by kDepth of K; elements that are neighbours in memory belong to neighbouring threads. A thread's
  /// first element, and how far its next one is.
  struct Element {
    int x, k;
  };
  template <bool kAlong, int kExtent>
  BS_DEVICE static Element first() {
    if constexpr (kAlong) return {M::thread() / kDepth, M::thread() % kDepth};
    return {M::thread() % kExtent, M::thread() / kExtent};
  }
  template <bool kAlong, int kExtent>
  BS_DEVICE static constexpr Element stride() {
    if constexpr (kAlong) return {kThreads / kDepth, 0};
    return {0, kThreads / kExtent};
  }

  template <bool kAlong, int kExtent, int kEach>
  BS_DEVICE static void fetch(float (&held)[kEach], const float* matrix, int pitch, int x0, int extent, int k0, int k_end) {
    constexpr Element kNext = stride<kAlong, kExtent>();
    const Element e = first<kAlong, kExtent>();
    const int x = x0 + e.x, k = k0 + e.k;
    const float* from = matrix + (kAlong ? static_cast<std::int64_t>(x) * pitch + k : static_cast<std::int64_t>(k) * pitch + x);
    BS_UNROLL
    for (int i = 0; i < kEach; ++i) {
      held[i] = x + i * kNext.x < extent && k + i * kNext.k < k_end ? *from : 0.0F;
      from += (kNext.x + kNext.k) * pitch;
    }
  }
  BS_DEVICE void fetch_step(int k0, int k_end) {
    fetch<kAlongA, kRows>(next_a_, a_, job_.pitch_a, at_.row0, job_.m, k0, k_end);
    fetch<kAlongB, kColumns>(next_b_, b_, job_.pitch_b, at_.column0, job_.n, k0, k_end);
  }
  template <bool kAlong, int kExtent, int kEach>
  BS_DEVICE static void keep(float* tile, const float (&held)[kEach]) {
    constexpr Element kNext = stride<kAlong, kExtent>();
    const Element e = first<kAlong, kExtent>();
    BS_UNROLL
    for (int i = 0; i < kEach; ++i) tile[(e.k + i * kNext.k) * (kExtent + 4) + e.x + i * kNext.x] = held[i];
  }
  BS_DEVICE void keep_step(float* buffer) const {
    keep<kAlongA, kRows>(buffer, next_a_);
    keep<kAlongB, kColumns>(buffer + kDepth * kPitchA, next_b_);
  }

  BS_DEVICE void multiply_all(const GemmSteps& range) {
    const int steps = (range.end - range.first + kDepth - 1) / kDepth;
    float* buffer = M::shared_floats();
    float* other = buffer + kBufferFloats;
    if (steps > 0) fetch_step(range.first, range.end);
    for (int s = 0; s < steps; ++s) {
      keep_step(buffer);
      M::sync();  // the step is here for all; nobody reads the other buffer any more
      if (s + 1 < steps) fetch_step(range.first + (s + 1) * kDepth, range.end);
      multiply(buffer, buffer + kDepth * kPitchA);
      float* const done = buffer;
      buffer = other;
      other = done;
    }
  }

  BS_DEVICE static int row_of(int i) { return i / 4 * 64 + M::thread() / 16 * 4 + i % 4; }
  BS_DEVICE static int first_column(int four) { return four * 64 + M::thread() % 16 * 4; }

  BS_DEVICE void multiply(const float* a, const float* b) {
    BS_UNROLL
    for (int k = 0; k < kDepth; ++k) {
      Four rows[2], columns[kFours];
      BS_UNROLL
      for (int i = 0; i < 2; ++i) rows[i] = *reinterpret_cast<const Four*>(a + k * kPitchA + row_of(i * 4));
      BS_UNROLL
      for (int j = 0; j < kFours; ++j) columns[j] = *reinterpret_cast<const Four*>(b + k * kPitchB + first_column(j));
      BS_UNROLL
      for (int i = 0; i < 8; ++i) {
        BS_UNROLL
        for (int j = 0; j < 4 * kFours; ++j) sum_[i][j] += rows[i / 4].x[i % 4] * columns[j / 4].x[j % 4];
      }
    }
  }

  BS_DEVICE void store() const {
    float* const c = static_cast<float*>(job_.c) + at_.item * job_.step_c;
    const bool aligned = job_.pitch_c % 4 == 0;
    BS_UNROLL
    for (int i = 0; i < 8; ++i) {
      const int row = at_.row0 + row_of(i);
      if (row >= job_.m) continue;
      BS_UNROLL
      for (int four = 0; four < kFours; ++four) {
        const int column = at_.column0 + first_column(four);
        store_four(c + static_cast<std::int64_t>(row) * job_.pitch_c + column, &sum_[i][four * 4], column, aligned);
      }
    }
  }
  BS_DEVICE void store_four(float* to, const float* sum, int column, bool aligned) const {
    const int there = job_.n - column;
    if (aligned && there >= 4) {
      *reinterpret_cast<Four*>(to) = {{done(sum[0], column), done(sum[1], column + 1), done(sum[2], column + 2), done(sum[3], column + 3)}};
      return;
    }
    BS_UNROLL
    for (int j = 0; j < 4; ++j)
      if (j < there) to[j] = done(sum[j], column + j);
  }
  BS_DEVICE float done(float sum, int column) const { return finish_(sum * job_.scale, column); }

  GemmJob job_;
  GemmPlace at_;
  Tiles tiles_;
  Finish finish_;
  const float *a_, *b_;
  float next_a_[kEachA], next_b_[kEachB];
  float sum_[8][4 * kFours];
};

}  // namespace bench::cuda
