// SPDX-License-Identifier: Apache-2.0
// A block's chunk in the plain backward pass of the ssd op (ssd_plain_back.hpp), some elements of one head of it: how its tiles of steps come to shared memory, and what
// becomes of them behind the walk.
#pragma once

#include <cstdint>

#include "kernels/scan/ssd_plain_back_room.hpp"
#include "kernels/scan/ssd_plain_step.hpp"

namespace bench::scan {

template <class M, class T, class Room>
struct SsdPlainBackChunk {
  static constexpr int kThreads = Room::kThreads, kTile = Room::kTile, kHalf = Room::kHalf, kStates = Room::kStates, kElements = Room::kElements;

  const SsdBwdJob& job;
  SsdBwdPlace place;
  SsdPlace at;
  Room room;
  int element0;  // of the part

  BS_DEVICE int first_step() const { return place.chunk * kSsdBwdSteps; }
  BS_DEVICE int steps() const { return job.seq - first_step() < kSsdBwdSteps ? job.seq - first_step() : kSsdBwdSteps; }

  /// Steps behind the last one change no state and no gradient.
  BS_DEVICE void begin_part() const {
    if (const int t = M::thread(); t < kSsdBwdSteps) {
      const SsdPlainStep now = t < steps() ? plain_step<M, T>(job, at, first_step() + t) : SsdPlainStep{0.0F, 1.0F, 0.0F};
      room.d(t) = now.d;
      room.decay(t) = now.decay;
      room.begins(t) = now.begins;
      for (int which = 0; which < 3; ++which) room.sum(which, t) = 0.0F;
    }
  }
  BS_DEVICE void leave_sums(std::int64_t part) const {
    M::sync();  // all steps' sums are here
    if (const int t = M::thread(); t < steps()) job.sums[part * job.seq + first_step() + t] = {room.sum(0, t), room.sum(1, t), room.sum(2, t)};
    M::sync();  // nobody reads them
  }

  BS_DEVICE void load(int tile) const {
    const T *const b = static_cast<const T*>(job.b), *const c = static_cast<const T*>(job.c), *const x = static_cast<const T*>(job.x);
    const int there = steps() - tile * kTile, t0 = first_step() + tile * kTile;
    for (int i = M::thread(); i < kTile * kStates; i += kThreads) {
      const int s = i / kStates, n = i % kStates;
      const std::int64_t from = at.of_groups(job, t0 + s) + n;
      const bool valid = s < there && n < job.state;
      room.b(s)[n] = valid ? cuda::value<M>(b[from]) : 0.0F;
      room.c(s)[n] = valid ? cuda::value<M>(c[from]) : 0.0F;
    }
    for (int i = M::thread(); i < kTile * kElements; i += kThreads) {
      const int s = i / kElements, e = i % kElements;
      const std::int64_t from = at.of_heads(job, t0 + s) + element0 + e;
      const bool valid = s < there && element0 + e < at.elements;
      room.x(s)[e] = valid ? cuda::value<M>(x[from]) : 0.0F;
      room.dy(s)[e] = valid ? ungated<M, T>(job, from) : 0.0F;
    }
    M::sync();  // the tile is here for all, and so are the decays
  }

  /// dB and dC of half a tile's steps, from step number t0 of the chunk on: onto those of the block's earlier elements, where no one else adds.
  BS_DEVICE void finish_mixers(int t0, bool first) const {
    for (int i = M::thread(); i < kHalf * 2 * kStates; i += kThreads) {
      const int s = i / (2 * kStates), which = i / kStates % 2, n = i % kStates, t = t0 + s;
      if (n >= job.state || t >= steps()) continue;
      float sum = 0.0F;
      BS_UNROLL
      for (int warp = 0; warp < Room::kWarps; ++warp) sum += room.part(warp, s, which)[n];
      if (which == 0) sum *= room.d(t);
      float* const to = (which == 0 ? job.db_shares : job.dc_shares) + place.share * job.mixers() + at.of_groups(job, first_step() + t) + n;
      *to = first ? sum : *to + sum;
    }
  }

  /// By one warp: dx and dz of a step's elements, and what they add to its sums.
  BS_DEVICE void finish_step(int tile, int s) const {
    const int step = tile * kTile + s, lane = M::thread() % 32, count = at.elements - element0 < kElements ? at.elements - element0 : kElements;
    if (step >= steps()) return;
    const std::int64_t row = at.of_heads(job, first_step() + step) + element0;
    const float skip = job.skip[at.head], d = room.d(step);
    float sums[3] = {};
    for (int e = lane; e < count; e += 32) {
      const float x = room.x(s)[e], dy = room.dy(s)[e], rb = room.rb(s)[e];
      static_cast<T*>(job.dx)[row + e] = M::template round<T>(skip * dy + d * rb);
      if (job.z != nullptr) give_dz(row + e, room.sc(s)[e] + skip * x);
      sums[0] += x * rb;
      sums[2] += dy * x;
    }
    for (int g = lane; g < Room::kGroups; g += 32) sums[1] += room.rs(s)[g];
    BS_UNROLL
    for (int i = 0; i < 3; ++i) {
      BS_UNROLL
      for (int lanes = 16; lanes > 0; lanes /= 2) sums[i] += M::shuffle_xor(sums[i], lanes);
      if (lane == 0) room.sum(i, step) += sums[i];
    }
  }

 private:
  BS_DEVICE void give_dz(std::int64_t where, float y) const {
    const float z = cuda::value<M>(static_cast<const T*>(job.z)[where]), dout = cuda::value<M>(static_cast<const T*>(job.dout)[where]);
    static_cast<T*>(job.out)[where] = M::template round<T>(dout * y * cuda::silu_slope<M>(z));
  }
};

}  // namespace bench::scan
