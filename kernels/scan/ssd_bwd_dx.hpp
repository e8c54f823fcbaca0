// SPDX-License-Identifier: Apache-2.0
// dB and dx of 16 steps of a chunk by one warp (ssd_bwd_mma.hpp): of each d_j times what the gradient behind the chunk gives, and what steps i >= j do, from the
// diagonal to the chunk's end. It leaves with the numbers what of both is for the steps' own sums.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/scan/ssd_bwd_chunk.hpp"
#include "kernels/scan/ssd_rows.hpp"

namespace bench::scan {

/// What a lane has added up of its rows' pairs, d_j left out, and the log decays between its sixteen and the next one to come.
struct SsdBwdPairs {
  float all[2], later[2], between;
};

/// Rows j, columns i >= j: C_i . B_j and dY_i . x_j times L_ij; their product into the sums over i and over j.
template <class M, int kStates>
BS_DEVICE void weigh(const SsdBwdChunk<M, kStates>& chunk, int other, SsdBwdPairs& pairs, float (&cb)[2][4], float (&g)[2][4]) {
  const bool diagonal = other == chunk.warp();
  float columns[4] = {};
  BS_UNROLL
  for (int half = 0; half < 2; ++half) {
    const int j = chunk.step(half);
    const float from = diagonal ? chunk.scales.within(j) : chunk.scales.rest(j) + pairs.between, d = chunk.scales.step(j);
    BS_UNROLL
    for (int n = 0; n < 4; ++n) {
      const int i = SsdWeights<M, kSsdBwdSteps>::column(other, n), at = half * 2 + n % 2;
      const float to = chunk.scales.within(i), decay = M::exp2(diagonal ? fminf(to - from, 0.0F) : from + to);
      const bool seen = i >= j && static_cast<float>(j) >= chunk.scales.origin(i);
      float &first = cb[n / 2][at], &second = g[n / 2][at];
      const float product = seen ? first * second * decay : 0.0F;
      first = seen ? first * decay : 0.0F;
      second = seen ? second * decay : 0.0F;
      pairs.all[half] += product;
      pairs.later[half] += i > j ? product : 0.0F;
      columns[n] += i > j ? product * d : 0.0F;
    }
  }
  BS_UNROLL
  for (int n = 0; n < 4; ++n) {
    BS_UNROLL
    for (int lanes = 4; lanes < 32; lanes *= 2) columns[n] += M::shuffle_xor(columns[n], lanes);
    if (chunk.lane() < 4) chunk.numbers.from_sixteen(chunk.warp(), SsdWeights<M, kSsdBwdSteps>::column(other, n)) = columns[n];
  }
  if (!diagonal) pairs.between += chunk.scales.sixteen(other);
}

template <class M, class T, int kStates>
BS_DEVICE void store_dx(const SsdBwdChunk<M, kStates>& chunk, const SsdPlace& at, const float (&d)[2], const float (&dx)[kSsdBwdElements / 8][4]) {
  constexpr int kSteps = kSsdBwdSteps, kElements = kSsdBwdElements;
  const float skip = chunk.job.skip[at.head];
  BS_UNROLL
  for (int half = 0; half < 2; ++half) {
    if (chunk.first_step() + chunk.step(half) >= chunk.job.seq) continue;
    T* const row = static_cast<T*>(chunk.job.dx) + at.of_heads(chunk.job, chunk.first_step() + chunk.step(half));
    BS_UNROLL
    for (int n = 0; n < kElements / 8; ++n) {
      const int column = n * 8 + chunk.lane() % 4 * 2;
      if (column >= at.elements) continue;
      const std::uint32_t place = cuda::swizzled(chunk.step(half), n, kSteps) + chunk.lane() % 4 * 4, dy = M::load_word(chunk.tiles.dy + place);
      float low = M::template low<T>(dy), high = M::template high<T>(dy);
      if (chunk.gated()) {
        const std::uint32_t more = M::load_word(chunk.tiles.dy_low + place);
        low += M::template low<T>(more);
        high += M::template high<T>(more);
      }
      *reinterpret_cast<std::uint32_t*>(row + column) = M::template pack<T>(skip * low + d[half] * dx[n][half * 2], skip * high + d[half] * dx[n][half * 2 + 1]);
    }
  }
}

template <class M, class T, int kStates>
BS_DEVICE void give_db_and_dx(const SsdBwdChunk<M, kStates>& chunk, const SsdPlace& at, bool first) {
  using Chunk = SsdBwdChunk<M, kStates>;
  constexpr int kSteps = Chunk::kSteps, kElements = Chunk::kElements, kSixteens = Chunk::kSixteens;
  std::uint32_t b[kStates / 16][4], x[kElements / 16][4];
  const auto b_rows = cuda::Operand<M, kSteps, false>::left(chunk.tiles.b, chunk.warp() * kSixteen), x_rows = cuda::Operand<M, kSteps, false>::left(chunk.tiles.x, chunk.warp() * kSixteen);
  float db[kStates / 8][4], dx[kElements / 8][4];
  clear_rows(db);
  clear_rows(dx);
  BS_UNROLL
  for (int k = 0; k < kStates / 16; ++k) {
    b_rows.load(b[k], 0, k);
    multiply_piece<M, T>(dx, b[k], cuda::Operand<M, kElements, false>::right(chunk.tiles.h, 0), k);
  }
  BS_UNROLL
  for (int k = 0; k < kElements / 16; ++k) {
    x_rows.load(x[k], 0, k);
    multiply_piece<M, T>(db, x[k], cuda::Operand<M, kElements, true>::right(chunk.tiles.h, 0), k);
    multiply_piece<M, T>(db, x[k], cuda::Operand<M, kElements, true>::right(chunk.tiles.h_low, 0), k);
  }
  const float exit[2] = {chunk.scales.exit(chunk.step(0)), chunk.scales.exit(chunk.step(1))};
  scale_rows(dx, exit);
  scale_rows(db, exit);
  BS_UNROLL
  for (int half = 0; half < 2; ++half) {
    const float to_after = row_product<M, T, kSteps>(chunk.tiles.b, chunk.step(half), half, db);
    if (chunk.lane() % 4 == 0) chunk.numbers.to_after(chunk.step(half)) = to_after;
  }
  SsdBwdPairs pairs{};
  for (int other = 0; other < chunk.warp(); ++other)
    if (chunk.lane() < kSixteen) chunk.numbers.from_sixteen(chunk.warp(), other * kSixteen + chunk.lane()) = 0.0F;
  BS_NO_UNROLL
  for (int other = chunk.warp(); other < kSixteens; ++other) {
    float cb[2][4], g[2][4];
    clear_rows(cb);
    clear_rows(g);
    const auto c = cuda::Operand<M, kSteps, false>::right(chunk.tiles.c, other * kSixteen);
    BS_UNROLL
    for (int k = 0; k < kStates / 16; ++k) multiply_across<M, T>(cb, b[k], c, k);
    const auto dy = cuda::Operand<M, kSteps, false>::right(chunk.tiles.dy, other * kSixteen), dy_low = cuda::Operand<M, kSteps, false>::right(chunk.tiles.dy_low, other * kSixteen);
    BS_UNROLL
    for (int k = 0; k < kElements / 16; ++k) {
      multiply_across<M, T>(g, x[k], dy, k);
      if (chunk.gated()) multiply_across<M, T>(g, x[k], dy_low, k);
    }
    weigh(chunk, other, pairs, cb, g);
    std::uint32_t high[4], low[4];
    BS_UNROLL
    for (int i = 0; i < 4; ++i) high[i] = M::template pack<T>(cb[i / 2][i % 2 * 2], cb[i / 2][i % 2 * 2 + 1]);
    multiply_piece<M, T>(dx, high, cuda::Operand<M, kSteps, true>::right(chunk.tiles.dy, 0), other);
    split_pairs<M, T>(g, high, low);
    multiply_piece<M, T>(db, high, low, cuda::Operand<M, kSteps, true>::right(chunk.tiles.c, 0), other);
  }
  BS_UNROLL
  for (int half = 0; half < 2; ++half) {
    const float to_steps = across_row<M>(pairs.all[half]), to_later = across_row<M>(pairs.later[half]);
    if (chunk.lane() % 4 > 0) continue;
    chunk.numbers.to_steps(chunk.step(half)) = to_steps;
    chunk.numbers.to_later(chunk.step(half)) = to_later;
  }
  const float d[2] = {chunk.scales.step(chunk.step(0)), chunk.scales.step(chunk.step(1))};
  scale_rows(db, d);
  chunk.add_rows(chunk.job.db_shares, db, first);
  store_dx<M, T>(chunk, at, d, dx);
}

}  // namespace bench::scan
