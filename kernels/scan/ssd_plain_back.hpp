// SPDX-License-Identifier: Apache-2.0
// One block's work of the backward pass of Mamba-2's scan on a device's ordinary lanes, in fp32: a chunk of kSsdBwdSteps steps, some heads of a group one after the
// other, some elements of a head at a time. The body only: ssd_plain_bwd_cuda.cu launches it behind SsdPlainMarks, and a test runs it on the host.
//
// As ssd_bwd.hpp has it, no sum of decays and no difference of sums. From the state before the chunk forwards, leaving the states before every tile of 8 steps in
// shared memory; then from the last tile to the first: its states again, before each of its steps, in registers, and R back through it. Lanes that share an
// element exchange R B, S C and <R, S before>; dB and dC of a warp's elements meet those of the others in shared memory and those of other elements and heads in
// global memory, always by the same thread in the same order.
#pragma once

#include <cstdint>

#include "kernels/scan/ssd_plain_back_chunk.hpp"

namespace bench::scan {

template <class M, class T, int kEach, int kLanes, int kRows>
class SsdPlainBack {
  using Room = SsdPlainBackRoom<M, kEach, kLanes, kRows>;
  static constexpr int kTile = Room::kTile, kHalf = Room::kHalf, kElements = Room::kElements, kCount = kRows * kEach;
  using States = float[kRows][kEach];

 public:
  static constexpr int kThreads = Room::kThreads, kSharedBytes = Room::kFloats * 4;
  static BS_HOST_DEVICE int blocks(const SsdBwdJob& job) { return SsdBwdPlace::blocks(job); }

  BS_DEVICE explicit SsdPlainBack(const SsdBwdJob& job) : chunk_{job, SsdBwdPlace(job, M::block()), SsdPlace(job, 0, kSsdBwdElements), {M::shared_floats()}, 0} {}

  BS_DEVICE void run() {
    const SsdBwdJob& job = chunk_.job;
    const int parts = job.parts(kSsdBwdElements), first = (chunk_.place.entry * job.heads + chunk_.place.head) * parts;
    for (int unit = 0; unit < chunk_.place.heads * parts; ++unit) {
      chunk_.at = SsdPlace(job, first + unit, kSsdBwdElements);
      chunk_.begin_part();
      for (chunk_.element0 = 0; chunk_.element0 < chunk_.at.elements; chunk_.element0 += kElements) walk(unit == 0 && chunk_.element0 == 0);
      chunk_.leave_sums(first + unit);
    }
  }

 private:
  BS_DEVICE static int row(int e) { return Room::group() * kRows + e; }

  /// f(state, its number, whether it is one, where it lies in a tensor (chunks, B, H, P, N)).
  template <class F>
  BS_DEVICE void for_each(States& states, F&& f) const {
    const std::int64_t chunk = chunk_.place.chunk * chunk_.job.all_states() + chunk_.at.of_states(chunk_.job);
    BS_UNROLL
    for (int i = 0; i < kCount; ++i) {
      const int e = chunk_.element0 + row(i / kEach), n = Room::state(i % kEach);
      f(states[i / kEach][i % kEach], i, e < chunk_.at.elements && n < chunk_.job.state, chunk + static_cast<std::int64_t>(e) * chunk_.job.state + n);
    }
  }
  BS_DEVICE void fetch(States& states, const float* from) const {
    for_each(states, [&](float& h, int, bool there, std::int64_t at) { h = there ? from[at] : 0.0F; });
  }
  BS_DEVICE static void clear(States& states) {
    BS_UNROLL
    for (int i = 0; i < kCount; ++i) states[i / kEach][i % kEach] = 0.0F;
  }

  /// The elements' part of dB and dC is the first of all that the block has.
  BS_DEVICE void walk(bool first) const {
    const int tiles = (chunk_.steps() + kTile - 1) / kTile;
    States h, later;
    fetch(h, chunk_.job.before);
    for (int tile = 0; tile < tiles - 1; ++tile) {
      chunk_.load(tile);
      BS_NO_UNROLL
      for (int s = 0; s < kTile; ++s) {
        if (begins(tile, s)) clear(h);
        advance(tile, s, h);
      }
      if (tile < tiles - 2) for_each(h, [&](const float& x, int i, bool, std::int64_t) { chunk_.room.mark(tile + 1, i) = x; });
      M::sync();  // nobody reads the tile
    }
    fetch(later, chunk_.job.after);
    for (int tile = tiles - 1; tile >= 0; --tile) {
      if (tile == 0) fetch(h, chunk_.job.before);
      if (tile > 0 && tile < tiles - 1) for_each(h, [&](float& x, int i, bool, std::int64_t) { x = chunk_.room.mark(tile, i); });
      chunk_.load(tile);
      walk_back(tile, h, later, first);
    }
  }

  /// h: the state before the tile; later: the gradient of that behind it, which becomes that of the former.
  BS_DEVICE void walk_back(int tile, States& h, States& later, bool first) const {
    States held[kTile];
    BS_UNROLL
    for (int s = 0; s < kTile; ++s) {
      if (begins(tile, s)) clear(h);
      BS_UNROLL
      for (int i = 0; i < kCount; ++i) held[s][i / kEach][i % kEach] = h[i / kEach][i % kEach];
      if (s < kTile - 1) advance(tile, s, h);
    }
    BS_UNROLL
    for (int half = 1; half >= 0; --half) {
      BS_UNROLL
      for (int s = half * kHalf + kHalf - 1; s >= half * kHalf; --s) {
        step_back(tile, s, held[s], later);
        if (begins(tile, s)) clear(later);
      }
      M::sync();  // all shares of dB and dC are here, and what lanes have left of the steps
      chunk_.finish_mixers(tile * kTile + half * kHalf, first);
      if (half == 0) chunk_.finish_step(tile, M::thread() / 32);
      M::sync();  // nobody reads them, nor the tile
    }
  }

  BS_DEVICE bool begins(int tile, int s) const { return chunk_.room.begins(tile * kTile + s) != 0.0F; }

  /// The state before step s of a tile into that behind it.
  BS_DEVICE void advance(int tile, int s, States& h) const {
    const float left = chunk_.room.decay(tile * kTile + s), d = chunk_.room.d(tile * kTile + s);
    float b[kEach];
    Room::read(chunk_.room.b(s), b);
    BS_UNROLL
    for (int i = 0; i < kCount; ++i) h[i / kEach][i % kEach] = left * h[i / kEach][i % kEach] + d * chunk_.room.x(s)[row(i / kEach)] * b[i % kEach];
  }

  BS_DEVICE void step_back(int tile, int s, const States& held, States& later) const {
    const float left = chunk_.room.decay(tile * kTile + s), d = chunk_.room.d(tile * kTile + s);
    float b[kEach], c[kEach], mixers[2 * kEach] = {}, sums[2 * kRows] = {}, y[kRows] = {};  // sums: R B of each row, <R, S before> of all
    Room::read(chunk_.room.b(s), b);
    Room::read(chunk_.room.c(s), c);
    BS_UNROLL
    for (int e = 0; e < kRows; ++e) {
      const float x = chunk_.room.x(s)[row(e)], dy = chunk_.room.dy(s)[row(e)];
      BS_UNROLL
      for (int i = 0; i < kEach; ++i) {
        const float r = dy * c[i] + later[e][i], h = left * held[e][i] + d * x * b[i];
        sums[e] += r * b[i];
        sums[kRows] += r * held[e][i];
        mixers[i] += r * x;
        mixers[kEach + i] += dy * h;
        y[e] += h * c[i];
        later[e][i] = left * r;
      }
    }
    leave_elements(s, left, sums, y);
    const int mixer = cuda::sum_across<M, 2 * kEach, 32 / kLanes, kLanes>(mixers);
    BS_UNROLL
    for (int i = 0; i < cuda::kSumsKept<2 * kEach, 32 / kLanes>; ++i)
      chunk_.room.part(M::thread() / 32, s % kHalf, (mixer + i) / kEach)[Room::state((mixer + i) % kEach)] = mixers[i];
  }

  /// What the lanes of a group have of its elements.
  BS_DEVICE void leave_elements(int s, float left, float (&sums)[2 * kRows], float (&y)[kRows]) const {
    const int which = cuda::sum_across<M, 2 * kRows, kLanes, 1>(sums);
    if (which < kRows) chunk_.room.rb(s)[row(which)] = sums[0];
    if (which == kRows) chunk_.room.rs(s)[Room::group()] = left * sums[0];
    if (chunk_.job.z == nullptr) return;
    const int e = cuda::sum_across<M, kRows, kLanes, 1>(y);
    chunk_.room.sc(s)[row(e)] = y[0];
  }

  SsdPlainBackChunk<M, T, Room> chunk_;
};

}  // namespace bench::scan
