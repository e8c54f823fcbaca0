// SPDX-License-Identifier: Apache-2.0
// Counter-based random numbers: value i of stream (seed, name) is a pure function, so any rank can make any element of any tensor
// without talking to another, and two implementations of one case see bit-identical inputs.
//
// Generator: Philox4x32 with 10 rounds (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace bench {

/// One Philox4x32-10 block: 4 words from a 128-bit counter and a 64-bit key.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

/// A stream of doubles indexed by a 64-bit counter.
class CounterRng {
 public:
  /// `name` separates the tensors of one case; it is hashed (FNV-1a) into the counter's upper half.
  CounterRng(std::uint64_t seed, std::string_view name);
  /// U[0, 1) with 32 random bits.
  double uniform(std::uint64_t i) const;
  /// N(0, 1) by Box-Muller on the two words that belong to i; |value| < 6.7.
  double normal(std::uint64_t i) const;

 private:
  std::array<std::uint32_t, 4> block(std::uint64_t i) const;
  std::uint64_t seed_;
  std::uint64_t stream_;
};

}  // namespace bench
