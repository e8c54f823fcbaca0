// SPDX-License-Identifier: Apache-2.0
// What one thread does of the kernels that a device's memory and exponentials are measured with. Piece: four words x, y, z, w. `load(address)` reads one
// past L1, since a thread may come back to it; a test on the host brings a load of its own.
#pragma once

#include "jobs/stream_sweep.hpp"
#include "kernels/cuda/function.hpp"

namespace bench::jobs {

/// What a kernel needs of a Sweep.
struct Walk {
  std::uint32_t count, step;
  std::int64_t visits;
};

/// Calls body(pieces) with the next kAtOnce pieces of thread `thread` until all its visits are made. i + step stays below 2^32.
template <class Body>
BS_DEVICE void walk_over(std::uint32_t thread, const Walk& walk, Body&& body) {
  std::uint32_t next = thread % walk.count;
  for (std::int64_t v = 0; v < walk.visits; v += kAtOnce) {
    std::uint32_t pieces[kAtOnce];
    BS_UNROLL
    for (int k = 0; k < kAtOnce; ++k) {
      pieces[k] = next;
      next += walk.step;
      if (next >= walk.count) next -= walk.count;
    }
    body(pieces);
  }
}

/// The pieces of `from` that a body was called with, all asked for before the first is used.
template <class Piece>
struct Loaded {
  Piece piece[kAtOnce];
};
template <class Piece, class Load>
BS_DEVICE Loaded<Piece> load_all(const Piece* from, const std::uint32_t* pieces, Load& load) {
  Loaded<Piece> loaded;
  BS_UNROLL
  for (int k = 0; k < kAtOnce; ++k) loaded.piece[k] = load(from + pieces[k]);
  return loaded;
}

template <class Piece>
BS_DEVICE Piece words_of(std::uint32_t i, std::uint32_t times) {
  return {word_of(i, 0, times), word_of(i, 1, times), word_of(i, 2, times), word_of(i, 3, times)};
}

/// Sum of the words that the thread reads, modulo 2^32.
template <class Piece, class Load>
BS_DEVICE std::uint32_t read_pieces(std::uint32_t thread, const Walk& walk, const Piece* from, Load load) {
  std::uint32_t sum = 0;
  walk_over(thread, walk, [&](const std::uint32_t* pieces) {
    const Loaded<Piece> in = load_all(from, pieces, load);
    BS_UNROLL
    for (int k = 0; k < kAtOnce; ++k) sum += in.piece[k].x + in.piece[k].y + in.piece[k].z + in.piece[k].w;
  });
  return sum;
}

template <class Piece, class Load>
BS_DEVICE void copy_pieces(std::uint32_t thread, const Walk& walk, const Piece* from, Piece* to, Load load) {
  walk_over(thread, walk, [&](const std::uint32_t* pieces) {
    const Loaded<Piece> in = load_all(from, pieces, load);
    BS_UNROLL
    for (int k = 0; k < kAtOnce; ++k) to[pieces[k]] = in.piece[k];
  });
}

/// to = a + 3 b.
template <class Piece, class Load>
BS_DEVICE void triad_pieces(std::uint32_t thread, const Walk& walk, const Piece* a, const Piece* b, Piece* to, Load load) {
  walk_over(thread, walk, [&](const std::uint32_t* pieces) {
    const Loaded<Piece> p = load_all(a, pieces, load), q = load_all(b, pieces, load);
    BS_UNROLL
    for (int k = 0; k < kAtOnce; ++k)
      to[pieces[k]] = {p.piece[k].x + 3 * q.piece[k].x, p.piece[k].y + 3 * q.piece[k].y, p.piece[k].z + 3 * q.piece[k].z, p.piece[k].w + 3 * q.piece[k].w};
  });
}

/// kChains chains of `rounds` times x := 2^-x, which ends at kFixedPoint from wherever it begins; their sum.
template <class Exp2>
BS_DEVICE float exponential_chains(std::uint32_t thread, std::int64_t rounds, Exp2&& exp2) {
  float x[kChains];
  BS_UNROLL
  for (int k = 0; k < kChains; ++k) x[k] = 0.1F * static_cast<float>(k) + 0.001F * static_cast<float>(thread % 32);
  for (std::int64_t r = 0; r < rounds; ++r) {
    BS_UNROLL
    for (int k = 0; k < kChains; ++k) x[k] = exp2(-x[k]);
  }
  float sum = 0.0F;
  BS_UNROLL
  for (int k = 0; k < kChains; ++k) sum += x[k];
  return sum;
}

}  // namespace bench::jobs
