// SPDX-License-Identifier: Apache-2.0
// The engine of the selective scan's backward pass, one block at a time: at most 16 channels of one group
// over at most 64 steps. Two passes over a share of the steps:
//   survey   first block to last, from a zero state: what each block starts from (kept: `Kept`), where the
//            share ends, and what a gradient that enters behind the share becomes before it: the carries;
//   settle   last block to first: the states of the block again, from their true start, then the steps in
//            reverse, with all gradients.
// 32-bit and 16-bit tensors compute in fp32 vectors (lanes = states in the recurrences, channels around
// them), fp64 in plain loops.
#pragma once

#include <cstdint>

#include "kernels/scan/scan.hpp"

namespace bench::scan {

inline constexpr std::int64_t kBackSteps = 64;     // a block's states, N = 16: 3 x 4 KB, stay in L1
inline constexpr std::int64_t kBackChannels = 16;  // one cache line of fp32

/// One rank's tensors, l steps long.
template <class T>
struct BackShare {
  using S = StateOf<T>;
  std::int64_t rows = 0, channels = 0, states = 0, groups = 0;
  const T *u = nullptr, *delta = nullptr, *z = nullptr, *dout = nullptr;  // (B, l, C)
  const T *b = nullptr, *c = nullptr;                                     // (B, l, G, N)
  const S *a = nullptr, *skip = nullptr, *bias = nullptr;                 // (C, N), (C), (C)
  T *du = nullptr, *ddelta = nullptr, *dz = nullptr;                      // (B, l, C)

  /// Rows of states in scratch are padded to whole vectors.
  std::int64_t padded() const { return sizeof(S) == sizeof(double) ? states : ceil_div(states, 16) * 16; }
};

struct BackBlock {
  std::int64_t entry = 0, group = 0;
  Range channels, steps;
};

/// One thread's memory, carved from the workspace.
template <class S>
struct BackScratch {
  S *b, *c, *decay, *held, *h;        // (64, padded N) of a block
  S *a, *start, *weight, *end, *sum;  // (padded N) of a channel
  S *y, *rb, *rac;                    // (64, 16): sums over states, one lane a vector element
  S *u, *d, *slope, *gy, *dgate, *y_of, *rb_of, *rac_of;  // (64, 16): step, channel

  static std::int64_t states(std::int64_t padded) {
    return 5 * kBackSteps * padded + 5 * padded + 11 * kBackSteps * kBackChannels;
  }
  BackScratch(S* from, std::int64_t padded) {
    const auto take = [&from](std::int64_t count) {
      S* const part = from;
      from += count;
      return part;
    };
    for (S** rows : {&b, &c, &decay, &held, &h}) *rows = take(kBackSteps * padded);
    for (S** row : {&a, &start, &weight, &end, &sum}) *row = take(padded);
    for (S** columns : {&y, &rb, &rac, &u, &d, &slope, &gy, &dgate, &y_of, &rb_of, &rac_of})
      *columns = take(kBackSteps * kBackChannels);
  }
};

/// The carries of one batch entry: sum of d (C); the end state from zero and, by the gradient behind the
/// share that is zero, the gradient before it (C, N each; null on one rank, where nobody asks). As they stand before a
/// block; survey moves them past it. delta_sum is kForgets once a packed sequence has begun, and a block ends before one.
template <class S>
struct BackCarries {
  S *delta_sum, *end, *back_end;
};

/// What survey keeps of one batch entry at the start of a block: the sum of d (C) and the state from zero (C,
/// N).
template <class S>
struct Kept {
  S *delta_sum, *h;
};

/// What settle starts from and adds to. `start` (C, N): the states before the share. `later` (C, N):
/// exp(d A) r of the step behind the block, which becomes that of its first step. dB, dC (64, padded N):
/// added to. dA (C, N), dskip, dbias (C): added to.
template <class S>
struct Settled {
  const S* start;
  S *later, *db, *dc, *da, *dskip, *dbias;
};

/// Widens B and C of a block's steps into scratch: once for all blocks of a group.
template <class T>
void load_mixers(const BackShare<T>& share, const BackBlock& block, const BackScratch<StateOf<T>>& scratch);

template <class T>
void survey(const BackShare<T>& share, const BackBlock& block, const BackScratch<StateOf<T>>& scratch,
            const BackCarries<StateOf<T>>& carries, const Kept<StateOf<T>>& kept);

template <class T>
void settle(const BackShare<T>& share, const BackBlock& block, const BackScratch<StateOf<T>>& scratch,
            const Kept<StateOf<T>>& kept, const Settled<StateOf<T>>& to);

}  // namespace bench::scan
