// SPDX-License-Identifier: Apache-2.0
// One block's work of the selective scan's backward pass on a device: it walks the steps of its channels in tiles, last one first. The body only: files
// ending in .cu launch it, and a test runs it on the host.
//
// Lanes, gates and tiles as the forward pass has them (selective_walk.hpp), one channel a lane. A walk over the steps has left the states before each tile
// (Walk::marks); from those the tile's decays and decayed states are computed again and stay in registers, which is what bounds a tile's length.
// Then the steps run back. What a step adds to dB and dC is summed over a warp's channels by shuffles and over the block's warps in shared memory, so that
// a block adds one number a step and state to global memory, or leaves it in a place of its own. y, sum r B and sum r A c take the place of d u and the
// gradient before the gate in shared memory, and lanes = channels turn them into outputs while the tile before is on its way. dA, dD and the
// bias' gradient are sums over all steps: over a tile first, then Kahan's, as a million plain additions would lose three digits.
#pragma once

#include "kernels/scan/careful_sum.hpp"
#include "kernels/scan/lane_gates.hpp"
#include "kernels/scan/selective_back_job.hpp"
#include "kernels/scan/selective_lanes.hpp"
#include "kernels/scan/selective_tiles.hpp"

namespace bench::scan {

template <class M, class T, class Shape>
class SelectiveBack {
  static constexpr int kEach = Shape::kEach, kLanes = Shape::kLanes, kStates = Shape::kStates, kSteps = Shape::kMarkSteps;
  static_assert(Shape::kRows == 1);
  using Pair = LanePair<M, Shape>;
  using Lane = LaneStates<M, Shape>;
  using Tiles = SelectiveTiles<M, T, Shape::kThreads, kSteps, Shape::kChannels, kStates, 4, 2>;
  static constexpr int kU = 0, kDelta = 1, kZ = 2, kDout = 3, kB = 0, kC = 1;
  static constexpr int kSlots = Tiles::kBytes, kMixed = kSlots + kSteps * Shape::kChannels * 16, kParts = kMixed + 2 * kSteps * kStates * 4;
  static constexpr int kWarps = Shape::kThreads / 32, kPart = kSteps * 2 * kStates;  // numbers that a warp leaves: dB and dC of each step

 public:
  static constexpr int kThreads = Shape::kThreads, kChannels = Shape::kChannels;
  static constexpr int kSharedBytes = kParts + kWarps * kPart * 4;
  static_assert(kWarps * kPart >= kThreads * 4, "where sums over rows meet at the end");

  static BS_HOST_DEVICE std::int64_t blocks(const SelectiveJob& job) { return SelectivePart::blocks(job, kChannels, 1); }

  BS_DEVICE explicit SelectiveBack(const SelectiveBackJob& job) : job_(job), part_(job, M::block(), kChannels), lane_(job_, part_) {}

  BS_DEVICE void run() {
    const auto last = static_cast<int>(job_.marks(kSteps)) - 1;
    start(last);
    fetch(0, last);
    int tile = 0;
    for (int mark = last; mark >= 0; --mark, tile ^= 1) {
      M::template wait<0>();
      M::sync();
      if (mark < last) finish(tile ^ 1, mark + 1);
      prepare(tile, mark);
      M::sync();
      if (mark > 0) fetch(tile ^ 1, mark - 1);
      walk(mark);
    }
    M::sync();
    finish(tile ^ 1, 0);
    leave();
  }

 private:
  using States = typename Lane::Values;

  BS_DEVICE std::int64_t entry_channel() const { return static_cast<std::int64_t>(part_.entry) * job_.channels + part_.channel; }
  BS_DEVICE void load_mark(int mark) { lane_.load(job_.states + ((part_.entry * job_.marks(kSteps) + mark) * job_.channels + part_.channel) * job_.state, before_); }

  BS_DEVICE void start(int last) {
    lane_.load(job_.a + static_cast<std::int64_t>(part_.channel) * job_.state, a_);
    lane_.load(job_.dh_last + entry_channel() * job_.state, later_);
    load_mark(last);
    Pair::load(job_.bias + part_.channel, part_.count, bias_);
    Pair::load(job_.skip + part_.channel, part_.count, skip_);
    BS_UNROLL
    for (int k = 0; k < kEach; ++k) a_[0][k] *= kLog2E;
  }

  BS_DEVICE void fetch(int tile, int mark) const {
    Tiles::fetch(M::shared(), job_, part_, tile, static_cast<std::int64_t>(mark) * kSteps, {job_.u, job_.delta, job_.z, job_.dout}, {job_.b, job_.c});
  }

  /// d, d u and the gradient before the gate, of a step and channel; once its step is walked, d, y, sum r B and sum r A c.
  BS_DEVICE static float* slot(int step, int channel) { return reinterpret_cast<float*>(M::shared_place(M::shared() + kSlots)) + (step * kChannels + channel) * 4; }
  BS_DEVICE static float* mixed(int which, int step) { return reinterpret_cast<float*>(M::shared_place(M::shared() + kMixed)) + (which * kSteps + step) * kStates; }
  BS_DEVICE static float* parts(int warp) { return reinterpret_cast<float*>(M::shared_place(M::shared() + kParts)) + warp * kPart; }

  BS_DEVICE void column(int tile, int which, int step, float (&x)[2]) const { cuda::read<M>(Tiles::column(M::shared(), tile, which) + step * kChannels + Pair::channel(), x); }

  BS_DEVICE void prepare(int tile, int mark) const {
    const std::int64_t first = static_cast<std::int64_t>(mark) * kSteps;
    for (int t = Pair::first_row(); t < kSteps; t += Pair::kRowsAtOnce) {
      float u[2], v[2], z[2], dout[2];
      column(tile, kU, t, u);
      column(tile, kDelta, t, v);
      column(tile, kZ, t, z);
      column(tile, kDout, t, dout);
      BS_UNROLL
      for (int i = 0; i < 2; ++i) {
        const float d = first + t < job_.seq ? softplus<M>(v[i] + bias_[i]) : 0.0F;  // a step that is none changes no state and no gradient
        *reinterpret_cast<cuda::Four*>(slot(t, Pair::channel() + i)) = {d, d * u[i], dout[i] * (z[i] * sigmoid<M>(z[i])), 0.0F};
      }
    }
    BS_UNROLL
    for (int which = 0; which < 2; ++which)
      for (int i = M::thread(); i < kSteps * kStates; i += kThreads)
        mixed(which, 0)[i] = i % kStates < job_.state ? cuda::value<M>(Tiles::mixer(M::shared(), tile, which)[i]) : 0.0F;
  }

  BS_DEVICE void walk(int mark) {
    const std::int64_t first = static_cast<std::int64_t>(mark) * kSteps;
    const std::uint32_t starts = job_.starts == nullptr ? 0U : job_.starts[first / kStartBits] >> (first % kStartBits);
    float decay[kSteps][kEach], held[kSteps][kEach];  // exp(d A), and that times the state before
    if (starts == 0U)
      rebuild<false>(0U, decay, held);
    else
      rebuild<true>(starts, decay, held);
    if (mark > 0) load_mark(mark - 1);
    float da[kEach] = {};
    BS_UNROLL
    for (int t = kSteps - 1; t >= 0; --t) step_back(t, decay[t], held[t], da);
    BS_UNROLL
    for (int k = 0; k < kEach; ++k) da_[k].add(da[k]);
  }

  template <bool kStarts>
  BS_DEVICE void rebuild(std::uint32_t starts, float (&decay)[kSteps][kEach], float (&held)[kSteps][kEach]) {
    BS_UNROLL
    for (int t = 0; t < kSteps; ++t) {
      const auto now = *reinterpret_cast<const cuda::Neighbours<float, 2>*>(slot(t, Lane::channel()));
      const bool begins = kStarts && (starts >> t & 1U) != 0U;
      float b[kEach];
      Lane::read(mixed(kB, t), b);
      BS_UNROLL
      for (int k = 0; k < kEach; ++k) {
        const float power = M::exp2(now.x[0] * a_[0][k]), h = begins ? 0.0F : before_[0][k];
        decay[t][k] = begins ? 0.0F : power;
        held[t][k] = decay[t][k] * h;
        before_[0][k] = held[t][k] + now.x[1] * b[k];
      }
    }
  }

  BS_DEVICE void step_back(int t, const float (&decay)[kEach], const float (&held)[kEach], float (&da)[kEach]) {
    const auto now = *reinterpret_cast<const cuda::Four*>(slot(t, Lane::channel()));
    const float d = now.x[0], x = now.x[1], gy = now.x[2];
    float b[kEach], c[kEach], mixers[2 * kEach], sums[4] = {};  // y, sum r B, sum r A c / ln 2
    Lane::read(mixed(kB, t), b);
    Lane::read(mixed(kC, t), c);
    BS_UNROLL
    for (int k = 0; k < kEach; ++k) {
      const float r = gy * c[k] + later_[0][k], h = held[k] + x * b[k], rc = r * held[k];
      sums[0] += c[k] * h;
      sums[1] += r * b[k];
      sums[2] += rc * a_[0][k];
      da[k] += rc * d;
      later_[0][k] = decay[k] * r;
      mixers[k] = r * x;
      mixers[kEach + k] = gy * h;
    }
    const int owned = cuda::sum_across<M, 4, kLanes, 1>(sums);  // behind it all lanes have read their channel's slot
    BS_UNROLL
    for (int i = 0; i < cuda::kSumsKept<4, kLanes>; ++i)
      if (owned + i < 3) slot(t, Lane::channel())[owned + i + 1] = owned + i == 2 ? sums[i] * kLn2 : sums[i];
    const int first = cuda::sum_across<M, 2 * kEach, 32 / kLanes, kLanes>(mixers);
    float* const to = parts(M::thread() / 32) + t * 2 * kStates;
    BS_UNROLL
    for (int i = 0; i < cuda::kSumsKept<2 * kEach, 32 / kLanes>; ++i) {
      const int which = (first + i) / kEach, k = (first + i) % kEach;
      to[which * kStates + Lane::place(k / 4) + k % 4] = mixers[i];
    }
  }

  /// The outputs of a tile that has been walked.
  BS_DEVICE void finish(int tile, int mark) {
    const std::int64_t first = static_cast<std::int64_t>(mark) * kSteps, left = job_.seq - first;
    const auto rows = static_cast<int>(left < kSteps ? left : kSteps);
    finish_mixers(first, rows);
    float dskip[2] = {}, dbias[2] = {};
    for (int t = Pair::first_row(); t < rows; t += Pair::kRowsAtOnce) finish_row(tile, first, t, dskip, dbias);
    BS_UNROLL
    for (int i = 0; i < 2; ++i) {
      dskip_[i].add(dskip[i]);
      dbias_[i].add(dbias[i]);
    }
  }

  BS_DEVICE void finish_row(int tile, std::int64_t first, int t, float (&dskip)[2], float (&dbias)[2]) const {
    float u[2], v[2], z[2], dout[2], du[2], ddelta[2], dz[2];
    column(tile, kU, t, u);
    column(tile, kDelta, t, v);
    column(tile, kZ, t, z);
    column(tile, kDout, t, dout);
    BS_UNROLL
    for (int i = 0; i < 2; ++i) {
      const auto now = *reinterpret_cast<const cuda::Four*>(slot(t, Pair::channel() + i));
      const float gate = sigmoid<M>(z[i]), gy = dout[i] * (z[i] * gate);
      du[i] = skip_[i] * gy + now.x[0] * now.x[2];
      ddelta[i] = (u[i] * now.x[2] + now.x[3]) * sigmoid<M>(v[i] + bias_[i]);  // which beyond softplus' threshold is 1 in all digits
      dz[i] = dout[i] * (now.x[1] + skip_[i] * u[i]) * (gate * (1.0F + z[i] * (1.0F - gate)));
      dskip[i] += gy * u[i];
      dbias[i] += ddelta[i];
    }
    const std::int64_t row = job_.row(part_.entry, first + t) * job_.channels + part_.channel;
    const bool aligned = job_.group_channels() % 2 == 0;
    Pair::store(static_cast<T*>(job_.du) + row, part_.count, aligned, du);
    Pair::store(static_cast<T*>(job_.ddelta) + row, part_.count, aligned, ddelta);
    Pair::store(static_cast<T*>(job_.dz) + row, part_.count, aligned, dz);
  }

  /// dB and dC of the tile's steps, four states a thread.
  BS_DEVICE void finish_mixers(std::int64_t first, int rows) const {
    const std::int64_t own = job_.adds ? 0 : (part_.channel % job_.group_channels()) / kChannels * job_.piece;
    for (int i = M::thread() * 4; i < rows * 2 * kStates; i += kThreads * 4) {
      const int t = i / (2 * kStates), n = i % kStates;
      if (n >= job_.state) continue;
      float sum[4] = {};
      BS_UNROLL
      for (int warp = 0; warp < kWarps; ++warp) {
        const auto part = *reinterpret_cast<const cuda::Four*>(parts(warp) + i);
        BS_UNROLL
        for (int k = 0; k < 4; ++k) sum[k] += part.x[k];
      }
      leave_mixers((i / kStates % 2 == 0 ? job_.db : job_.dc) + own + (job_.row(part_.entry, first + t) * job_.groups + part_.group) * job_.state + n, job_.state - n, sum);
    }
  }
  BS_DEVICE void leave_mixers(float* to, int count, const float (&sum)[4]) const {
    BS_UNROLL
    for (int k = 0; k < 4; ++k) {
      if (!job_.adds && k < count) to[k] = sum[k];
      if (!job_.adds) continue;
      if (job_.state % 4 != 0 && k < count) M::add_one(to + k, sum[k]);
      if (job_.state % 4 == 0 && k % M::kAddWidth == 0) M::add(to + k, sum + k);
    }
  }

  BS_DEVICE void leave() const {
    States da;
    BS_UNROLL
    for (int k = 0; k < kEach; ++k) da[0][k] = da_[k].sum;
    lane_.store(job_.da + entry_channel() * job_.state, da);
    lane_.store(job_.dh0 + entry_channel() * job_.state, later_);
    M::sync();  // nobody reads parts any more
    float* const rows = parts(0) + Pair::first_row() * kChannels * 2;
    BS_UNROLL
    for (int i = 0; i < 2; ++i) {
      rows[Pair::channel() + i] = dskip_[i].sum;
      rows[kChannels + Pair::channel() + i] = dbias_[i].sum;
    }
    M::sync();
    for (int i = M::thread(); i < 2 * kChannels; i += kThreads) {
      if (i % kChannels >= part_.count) continue;
      float sum = 0.0F;
      for (int row = 0; row < Pair::kRowsAtOnce; ++row) sum += parts(0)[row * kChannels * 2 + i];
      (i < kChannels ? job_.dskip : job_.dbias)[entry_channel() + i % kChannels] = sum;
    }
  }

  SelectiveBackJob job_;
  SelectivePart part_;
  Lane lane_;
  float a_[1][kEach], before_[1][kEach], later_[1][kEach];  // a log2(e); the state before the tile; exp(d A) r of the step behind
  CarefulSum da_[kEach], dskip_[2], dbias_[2];
  float bias_[2], skip_[2];
};

}  // namespace bench::scan
