// SPDX-License-Identifier: Apache-2.0
// How a device's threads go over arrays when its memory is measured, and what must come out. Pure: the kernels are in stream_bodies.hpp.
#pragma once

#include <cstdint>

#include "kernels/cuda/function.hpp"

namespace bench::jobs {

inline constexpr std::int64_t kPieceBytes = 16;   // what a thread moves at once
inline constexpr int kAtOnce = 2;                 // pieces that a thread has on the way together: more would take registers from other threads
inline constexpr std::int64_t kBlocksPerSm = 4;   // of Sweep::kThreads: 2048 threads, what an SM of a big chip holds

/// Arrays of `count` pieces are gone over by `threads` threads, `visits` pieces each, a multiple of kAtOnce. Thread t takes piece (t + v threads) mod count at its visit v:
/// neighbours take neighbours, and all threads work however small the arrays are.
struct Sweep {
  static constexpr std::uint32_t kThreads = 512;  // of a block
  std::uint32_t count = 0, blocks = 0;
  std::int64_t visits = 0;
  std::int64_t threads() const { return std::int64_t{blocks} * kThreads; }
  std::int64_t pieces() const { return threads() * visits; }  // visited, of each array
  std::uint32_t step() const { return static_cast<std::uint32_t>(threads() % count); }
};

/// Over arrays of `bytes` each, on `sm_count` multiprocessors, moving at least `traffic` bytes of each array and every piece at least once.
Sweep sweep_of(std::int64_t bytes, std::int64_t sm_count, std::int64_t traffic);

BS_HOST_DEVICE constexpr std::uint32_t factor_of(int place) {
  return place == 0 ? 1U : place == 1 ? 2654435761U : place == 2 ? 40503U : 0x9e3779b9U;
}
/// Word `place` of piece i holds i * times * factor_of(place), modulo 2^32: no two neighbours alike, and a triad's result known.
BS_HOST_DEVICE constexpr std::uint32_t word_of(std::uint32_t piece, int place, std::uint32_t times) {
  return piece * times * factor_of(place);
}

/// Of all words that a sweep reads of such an array, modulo 2^32.
std::uint32_t sum_of_words(const Sweep& sweep, std::uint32_t times);

inline constexpr std::int64_t kChains = 8;             // of exponentials in each thread
inline constexpr float kFixedPoint = 0.6411857445F;    // x = 2^-x, where they end

}  // namespace bench::jobs
