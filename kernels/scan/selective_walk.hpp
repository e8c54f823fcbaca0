// SPDX-License-Identifier: Apache-2.0
// One block's work of the selective scan on a device: it walks the steps of its channels in tiles, states in registers. The body only: files ending in .cu
// launch it, and a test runs it on the host.
//
// In (B, L, C) a step's channels are neighbours, so tiles of u, delta and z come in whole rows of the block's channels whatever lanes do with them, and
// B and C once for all of them (selective_tiles.hpp). Gates are taken with lanes = channels, once a step and channel, and leave d and d u in fp32. States
// are split: kLanes lanes a channel, kEach states each, kRows channels a lane. With one lane a channel there would be no sum over lanes, but B C lanes in
// all, which fill no device below some 50,000 channels; with a lane a state, every lane would read d, B and C for one exponential. A 16-byte read of
// shared memory serves four states, and kRows channels read B and C once, so that the special function unit's exponential, eight cycles of a
// scheduler, has some five and a half other instructions beside it and stays what binds. y is summed over lanes four steps at a time, which takes
// about one exchange a step. The next tile is on its way while this one is walked.
#pragma once

#include "kernels/scan/lane_gates.hpp"
#include "kernels/scan/selective_lanes.hpp"
#include "kernels/scan/selective_tiles.hpp"

namespace bench::scan {

enum class Walk : std::uint8_t {
  output,  // from the state that the chunk before left (h0 for the first): out and h_last
  carry,   // from zero: the state that a chunk leaves, and its sum of d
  marks,   // from h0 over all steps: the state before every kMarkSteps-th step, (B, marks, C, N)
};

/// 2^x on the special function unit, whichever of a lane's exponentials it is: number i of those of four steps and one channel.
template <class M>
struct UnitExp {
  BS_DEVICE static float of(int /*i*/, float x) { return M::exp2(x); }
};

template <class M, class T, class Shape, Walk kWalk, class Exp = UnitExp<M>>
class SelectiveWalk {
  static constexpr int kEach = Shape::kEach, kLanes = Shape::kLanes, kRows = Shape::kRows, kStates = Shape::kStates;
  static constexpr int kColumns = kWalk == Walk::output ? 3 : 2, kMixers = kWalk == Walk::output ? 2 : 1;
  static constexpr int kSteps = kWalk == Walk::marks ? Shape::kMarkSteps : Shape::kChannels <= 64 && kStates <= 32 ? 32 : 16;
  static constexpr int kBatch = 4;  // steps whose y are summed over lanes together
  using Pair = LanePair<M, Shape>;
  using Lane = LaneStates<M, Shape>;
  using Tiles = SelectiveTiles<M, T, Shape::kThreads, kSteps, Shape::kChannels, kStates, kColumns, kMixers>;
  static constexpr int kSlots = Tiles::kBytes, kMixed = kSlots + kSteps * Shape::kChannels * 8;

 public:
  static constexpr int kThreads = Shape::kThreads, kChannels = Shape::kChannels;
  static constexpr int kSharedBytes = kMixed + kMixers * kSteps * kStates * 4;
  static_assert(kSteps % kBatch == 0);

  static BS_HOST_DEVICE std::int64_t blocks(const SelectiveJob& job) { return SelectivePart::blocks(job, kChannels, kWalk == Walk::carry ? job.chunks - 1 + job.last_too : job.chunks); }

  BS_DEVICE explicit SelectiveWalk(const SelectiveJob& job) : job_(job), part_(job, M::block(), kChannels), lane_(job_, part_) {}

  BS_DEVICE void run() {
    start();
    fetch(0, part_.begin);
    int tile = 0;
    for (std::int64_t first = part_.begin; first < part_.end; first += kSteps, tile ^= 1) {
      M::template wait<0>();
      M::sync();
      if constexpr (kWalk == Walk::output)
        if (first > part_.begin) finish(tile ^ 1, first - kSteps);
      prepare(tile, first);
      M::sync();
      if (first + kSteps < part_.end) fetch(tile ^ 1, first + kSteps);
      walk(first);
    }
    M::sync();
    if constexpr (kWalk == Walk::output) finish(tile ^ 1, part_.begin + (part_.end - part_.begin - 1) / kSteps * kSteps);
    leave();
  }

 private:
  BS_DEVICE void start() {
    lane_.load(job_.a + static_cast<std::int64_t>(part_.channel) * job_.state, a_);
    Pair::load(job_.bias + part_.channel, part_.count, bias_);
    Pair::load(job_.skip + part_.channel, part_.count, skip_);
    const float* const from = part_.chunk == 0 ? job_.h0 + static_cast<std::int64_t>(part_.entry) * job_.channels * job_.state : job_.states + job_.chunk_row(part_.entry, part_.chunk - 1) * job_.state;
    if constexpr (kWalk != Walk::carry) lane_.load(from + static_cast<std::int64_t>(part_.channel) * job_.state, h_);
    BS_UNROLL
    for (int r = 0; r < kRows; ++r) {
      sum_[r] = 0.0F;
      BS_UNROLL
      for (int k = 0; k < kEach; ++k) {
        a_[r][k] *= kLog2E;
        if constexpr (kWalk == Walk::carry) h_[r][k] = 0.0F;
      }
    }
  }

  BS_DEVICE void fetch(int tile, std::int64_t first) const {
    if constexpr (kWalk == Walk::output)
      Tiles::fetch(M::shared(), job_, part_, tile, first, {job_.u, job_.delta, job_.z}, {job_.b, job_.c});
    else
      Tiles::fetch(M::shared(), job_, part_, tile, first, {job_.u, job_.delta}, {job_.b});
  }

  /// d and d u of a step and channel; once its step is walked, y is where d was.
  BS_DEVICE static float* slot(int step, int channel) { return reinterpret_cast<float*>(M::shared_place(M::shared() + kSlots)) + (step * kChannels + channel) * 2; }
  /// B (0) or C (1) of a step, fp32.
  BS_DEVICE static float* mixed(int which, int step) { return reinterpret_cast<float*>(M::shared_place(M::shared() + kMixed)) + (which * kSteps + step) * kStates; }

  BS_DEVICE void prepare(int tile, std::int64_t first) const {
    BS_UNROLL_BY(2)
    for (int t = Pair::first_row(); t < kSteps; t += Pair::kRowsAtOnce) {
      float u[2], v[2], d[2];
      const int at = t * kChannels + Pair::channel();
      cuda::read<M>(Tiles::column(M::shared(), tile, 0) + at, u);
      cuda::read<M>(Tiles::column(M::shared(), tile, 1) + at, v);
      BS_UNROLL
      for (int i = 0; i < 2; ++i) d[i] = first + t < part_.end ? softplus<M>(v[i] + bias_[i]) : 0.0F;  // a step that is none changes no state
      *reinterpret_cast<cuda::Four*>(slot(t, Pair::channel())) = {d[0], d[0] * u[0], d[1], d[1] * u[1]};
    }
    BS_UNROLL
    for (int which = 0; which < kMixers; ++which)
      for (int i = M::thread(); i < kSteps * kStates; i += kThreads)
        mixed(which, 0)[i] = i % kStates < job_.state ? cuda::value<M>(Tiles::mixer(M::shared(), tile, which)[i]) : 0.0F;
  }

  BS_DEVICE void walk(std::int64_t first) {
    if constexpr (kWalk == Walk::marks)
      lane_.store(job_.states + ((part_.entry * job_.marks(kSteps) + first / kSteps) * job_.channels + part_.channel) * job_.state, h_);
    const std::uint32_t starts = job_.starts == nullptr ? 0U : job_.starts[first / kStartBits] >> (first % kStartBits);
    if (starts == 0U)
      steps<false>(0U);
    else
      steps<true>(starts);
  }

  template <bool kStarts>
  BS_DEVICE void steps(std::uint32_t starts) {
    BS_NO_UNROLL
    for (int t = 0; t < kSteps; t += kBatch) {
      float y[kBatch * kRows] = {};
      BS_UNROLL
      for (int s = 0; s < kBatch; ++s) {
        if (kStarts && (starts >> (t + s) & 1U) != 0U) forget();
        step(t + s, s, y);
      }
      if constexpr (kWalk == Walk::output) {
        const int owned = cuda::sum_across<M, kBatch * kRows, kLanes, 1>(y);  // behind it all lanes have read their channels' slots
        BS_UNROLL
        for (int i = 0; i < cuda::kSumsKept<kBatch * kRows, kLanes>; ++i) *slot(t + (owned + i) / kRows, Lane::channel() + (owned + i) % kRows) = y[i];
      }
    }
  }

  BS_DEVICE void forget() {
    BS_UNROLL
    for (int r = 0; r < kRows; ++r) {
      sum_[r] = kForgets<float>;
      BS_UNROLL
      for (int k = 0; k < kEach; ++k) h_[r][k] = 0.0F;
    }
  }

  BS_DEVICE void step(int t, int s, float (&y)[kBatch * kRows]) {
    const auto now = *reinterpret_cast<const cuda::Neighbours<float, 2 * kRows>*>(slot(t, Lane::channel()));
    float b[kEach], c[kEach] = {};
    Lane::read(mixed(0, t), b);
    if constexpr (kWalk == Walk::output) Lane::read(mixed(1, t), c);
    BS_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const float d = now.x[2 * r], x = now.x[2 * r + 1];
      if constexpr (kWalk == Walk::carry) sum_[r] += d;
      BS_UNROLL
      for (int k = 0; k < kEach; ++k) {
        h_[r][k] = Exp::of(s * kEach + k, d * a_[r][k]) * h_[r][k] + x * b[k];
        if constexpr (kWalk == Walk::output) y[s * kRows + r] += c[k] * h_[r][k];
      }
    }
  }

  /// The outputs of a tile that has been walked.
  BS_DEVICE void finish(int tile, std::int64_t first) const {
    const auto rows = static_cast<int>(part_.end - first < kSteps ? part_.end - first : kSteps);
    BS_UNROLL_BY(2)
    for (int t = Pair::first_row(); t < rows; t += Pair::kRowsAtOnce) {
      float u[2], z[2], out[2];
      const int at = t * kChannels + Pair::channel();
      cuda::read<M>(Tiles::column(M::shared(), tile, 0) + at, u);
      cuda::read<M>(Tiles::column(M::shared(), tile, kColumns - 1) + at, z);
      BS_UNROLL
      for (int i = 0; i < 2; ++i) out[i] = (*slot(t, Pair::channel() + i) + skip_[i] * u[i]) * (z[i] * sigmoid<M>(z[i]));
      Pair::store(static_cast<T*>(job_.out) + job_.row(part_.entry, first + t) * job_.channels + part_.channel, part_.count, job_.group_channels() % 2 == 0, out);
    }
  }

  BS_DEVICE void leave() const {
    if constexpr (kWalk == Walk::output)
      if (part_.chunk + 1 == job_.chunks) lane_.store(job_.h_last + (static_cast<std::int64_t>(part_.entry) * job_.channels + part_.channel) * job_.state, h_);
    if constexpr (kWalk == Walk::carry) {
      const std::int64_t row = job_.chunk_row(part_.entry, part_.chunk) + part_.channel;
      lane_.store(job_.states + row * job_.state, h_);
      BS_UNROLL
      for (int r = 0; r < kRows; ++r)
        if (M::thread() % kLanes == 0 && Lane::channel() + r < part_.count) job_.delta_sums[row + Lane::channel() + r] = sum_[r];
    }
  }

  SelectiveJob job_;
  SelectivePart part_;
  Lane lane_;
  float a_[kRows][kEach], h_[kRows][kEach];  // a log2(e), so that a decay is a power of two
  float bias_[2], skip_[2], sum_[kRows];
};

/// The states that chunks find, from what each leaves when it starts from zero: one lane a channel's state, chunk after chunk. A chunk's decay is exp(A sum d).
template <class M>
struct SelectiveCombine {
  static constexpr int kThreads = 128;

  static BS_HOST_DEVICE std::int64_t blocks(const SelectiveJob& job) { return ((job.row_end - job.row0) * job.state + kThreads - 1) / kThreads; }

  static BS_DEVICE void run(const SelectiveJob& job) {
    const std::int64_t i = job.row0 * job.state + static_cast<std::int64_t>(M::block()) * kThreads + M::thread(), each = static_cast<std::int64_t>(job.channels) * job.state;
    if (i >= job.row_end * job.state) return;
    const auto entry = static_cast<int>(i / each);
    const std::int64_t row = i % each / job.state;
    const float a = job.a[i % each] * kLog2E;
    float h = job.h0[i];
    for (int chunk = 0; chunk + 1 < job.chunks; ++chunk) {
      float* const left = job.states + job.chunk_row(entry, chunk) * job.state + i % each;
      const float sum = job.delta_sums[job.chunk_row(entry, chunk) + row];
      h = sum == kForgets<float> ? *left : M::exp2(a * sum) * h + *left;
      *left = h;
    }
  }
};

}  // namespace bench::scan
