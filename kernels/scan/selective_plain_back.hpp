// SPDX-License-Identifier: Apache-2.0
// One block's work of the selective scan's backward pass in any of its forms on a device: some channels of one group of one batch entry, the steps by tiles, last
// one first. The body only: selective_plain_bwd_cuda.cu launches it, and a test runs it on the host.
//
// Lanes as the forward pass has them (selective_plain.hpp), which has left the states before each tile. From those the states before each of its steps are
// computed again and wait in shared memory, a thread's own; then the steps run back, with the decays once more. What a step adds to dB and dC is summed over a warp's channels by shuffles and over the block's warps
// in shared memory, and left in the block's own place; constant B's and C's gradients stay with their lanes, as dA. Those, dD and the bias' gradient are sums over all
// steps: over a tile first, then Kahan's. Three decays a step and state, where selective_back.hpp has two.
#pragma once

#include "kernels/scan/careful_sum.hpp"
#include "kernels/scan/lane_turns.hpp"
#include "kernels/scan/selective_plain_job.hpp"

namespace bench::scan {

template <class M, class T, class Shape, class N>
class SelectivePlainBack {
  static constexpr int kEach = Shape::kEach, kLanes = Shape::kLanes, kStates = Shape::kStates, kSteps = Shape::kMarkSteps;
  static constexpr int kColumn = kSteps * Shape::kChannels, kMixer = kSteps * kStates;
  static constexpr int kWarps = Shape::kThreads / 32, kPart = 2 * kMixer;  // numbers that a warp leaves: dB and dC of each step
  static constexpr int kBefore = kSteps * Shape::kThreads * kEach;
  using Lane = LaneStates<M, Shape>;
  using Numbers = LaneNumbers<N, kEach>;
  static constexpr int kCount = Numbers::kCount;

 public:
  static constexpr int kThreads = Shape::kThreads, kChannels = Shape::kChannels;
  static constexpr int kSharedBytes = (4 * kColumn + 2 * kMixer + kWarps * kPart + kBefore) * 4;
  static_assert(kThreads % kChannels == 0, "a thread's steps are of one channel");
  static_assert(kWarps * kPart >= 2 * kThreads, "where sums of a channel meet at the end");

  static BS_HOST_DEVICE std::int64_t blocks(const SelectivePlainJob& job) { return SelectivePart::blocks(job, kChannels, 1); }

  BS_DEVICE explicit SelectivePlainBack(const SelectivePlainJob& job)
      : job_(job), part_(job_, M::block(), kChannels), lane_(job_, part_), slots_(M::shared_floats()) {}

  BS_DEVICE void run() {
    start();
    for (auto mark = static_cast<int>(job_.marks(kSteps)) - 1; mark >= 0; --mark) {
      const std::int64_t first = static_cast<std::int64_t>(mark) * kSteps;
      load(first);
      M::sync();  // the tile is here for all
      walk(mark, starts_from(job_, first));
      M::sync();  // slots and parts are, too, and nobody reads B and C
      finish(first);
      if (!job_.constant_b) finish_mixer(first, 0, job_.db);
      if (!job_.constant_c) finish_mixer(first, 1, job_.dc);
    }
    leave();
  }

 private:
  BS_DEVICE std::int64_t entry_channel() const { return static_cast<std::int64_t>(part_.entry) * job_.channels + part_.channel; }
  /// Of a step and channel: d, d u, the gradient before the gate; once its step is walked d, y, sum r B, sum r A c.
  BS_DEVICE float* slot(int at) const { return slots_ + at * 4; }
  BS_DEVICE float* mixed(int which) const { return slots_ + 4 * kColumn + which * kMixer; }
  BS_DEVICE float* parts(int warp) const { return mixed(2) + warp * kPart; }
  /// This thread's states before a step of the tile.
  using Each = float[kEach];
  BS_DEVICE Each& before(int t) const { return *reinterpret_cast<Each*>(parts(kWarps) + (t * kThreads + M::thread()) * kEach); }
  BS_DEVICE int channel() const { return M::thread() % kChannels; }  // where lanes are channels
  BS_DEVICE static float value(const void* from, std::int64_t at) { return cuda::value<M>(static_cast<const T*>(from)[at]); }

  BS_DEVICE void load_numbers(const float* from, typename Numbers::Values& to) const {
    float mine[1][kEach];
    lane_.load(from, mine);
    Numbers::from(mine[0], to);
  }
  BS_DEVICE void start() {
    load_numbers(job_.a + static_cast<std::int64_t>(part_.channel) * job_.state, a_);
    load_numbers(job_.dh_last + entry_channel() * job_.state, later_);
    BS_UNROLL
    for (int k = 0; k < kCount; ++k) a_[k] = as_exponent(a_[k]);
    b_.start(lane_, job_.constant_b, job_.b, part_.channel, job_.state);
    c_.start(lane_, job_.constant_c, job_.c, part_.channel, job_.state);
  }

  BS_DEVICE void load(std::int64_t first) const {
    for (int i = M::thread(); i < kColumn; i += kThreads) {
      const std::int64_t step = first + i / kChannels, at = job_.row(part_.entry, step) * job_.channels + part_.channel + channel();
      cuda::Four now = {};  // a step that is none changes no state and no gradient
      if (step < job_.seq && channel() < part_.count) {
        const float z = value(job_.z, at), d = softplus<M>(value(job_.delta, at) + job_.bias[part_.channel + channel()]);
        now = {d, d * value(job_.u, at), value(job_.dout, at) * (z * sigmoid<M>(z)), 0.0F};
      }
      *reinterpret_cast<cuda::Four*>(slot(i)) = now;
    }
    load_mixer<M, T, Shape, kSteps>(job_, part_, job_.constant_b, job_.b, first, mixed(0));
    load_mixer<M, T, Shape, kSteps>(job_, part_, job_.constant_c, job_.c, first, mixed(1));
  }

  BS_DEVICE void walk(int mark, std::uint32_t starts) {
    typename Numbers::Values h;
    load_numbers(job_.states + ((part_.entry * job_.marks(kSteps) + mark) * job_.channels + part_.channel) * job_.state, h);
    BS_NO_UNROLL
    for (int t = 0; t < kSteps; ++t) step_forth(t, (starts >> t & 1U) != 0U, h);
    float da[kEach] = {}, db[kEach] = {}, dc[kEach] = {};
    BS_NO_UNROLL
    for (int t = kSteps - 1; t >= 0; --t) step_back(t, (starts >> t & 1U) != 0U, da, db, dc);
    BS_UNROLL
    for (int k = 0; k < kEach; ++k) {
      da_[k].add(da[k]);
      db_[k].add(db[k]);
      dc_[k].add(dc[k]);
    }
  }

  /// Leaves the state before step t.
  BS_DEVICE void step_forth(int t, bool begins, typename Numbers::Values& h) const {
    const auto now = *reinterpret_cast<const cuda::Neighbours<float, 2>*>(slot(t * kChannels + Lane::channel()));
    N b[kCount];
    b_.get(mixed(0) + t * kStates, b);
    BS_UNROLL
    for (int k = 0; k < kCount; ++k)
      if (begins) h[k] = N{};
    Numbers::to(h, before(t));
    BS_UNROLL
    for (int k = 0; k < kCount; ++k) h[k] = sum(product(lane_decay<M>(now.x[0], a_[k]), h[k]), scaled(now.x[1], b[k]));
  }

  /// da, db, dc: the tile's sums of what stays with the lane.
  BS_DEVICE void step_back(int t, bool begins, float (&da)[kEach], float (&db)[kEach], float (&dc)[kEach]) {
    float* const own = slot(t * kChannels + Lane::channel());
    const auto now = *reinterpret_cast<const cuda::Four*>(own);
    const float d = now.x[0], x = now.x[1], gy = now.x[2];
    N b[kCount], c[kCount], before_now[kCount], db_now[kCount], dc_now[kCount];
    Numbers::from(before(t), before_now);
    b_.get(mixed(0) + t * kStates, b);
    c_.get(mixed(1) + t * kStates, c);
    float sums[4] = {};  // y, sum r B, sum r A c
    BS_UNROLL
    for (int k = 0; k < kCount; ++k) {
      const N decay = lane_decay<M>(d, a_[k]), held = product(decay, before_now[k]), h = sum(held, scaled(x, b[k]));
      const N r = sum(mixed_back(gy, c[k]), later_[k]), rc = product(r, conjugate(held));
      sums[0] += mixed_out(c[k], h);
      sums[1] += inner(r, b[k]);
      sums[2] += inner_exponent(rc, a_[k]);
      Numbers::add(da, k, scaled(d, rc));
      db_now[k] = scaled(x, r);
      dc_now[k] = mixed_back(gy, h);
      if (b_.constant()) Numbers::add(db, k, db_now[k]);
      if (c_.constant()) Numbers::add(dc, k, dc_now[k]);
      later_[k] = begins ? N{} : product(conjugate(decay), r);
    }
    const int owned = cuda::sum_across<M, 4, kLanes, 1>(sums);  // behind it all lanes have read their channel's slot
    BS_UNROLL
    for (int i = 0; i < cuda::kSumsKept<4, kLanes>; ++i)
      if (owned + i < 3) own[owned + i + 1] = sums[i];
    if (!b_.constant() || !c_.constant()) leave_part(t, db_now, dc_now);
  }

  /// This warp's dB and dC of a step, over its channels.
  BS_DEVICE void leave_part(int t, const typename Numbers::Values& db, const typename Numbers::Values& dc) const {
    float one[kEach], other[kEach], both[2 * kEach];
    Numbers::to(db, one);
    Numbers::to(dc, other);
    BS_UNROLL
    for (int k = 0; k < kEach; ++k) both[k] = one[k], both[kEach + k] = other[k];
    const int first = cuda::sum_across<M, 2 * kEach, 32 / kLanes, kLanes>(both);
    BS_UNROLL
    for (int i = 0; i < cuda::kSumsKept<2 * kEach, 32 / kLanes>; ++i) {
      const int which = (first + i) / kEach, k = (first + i) % kEach;
      parts(M::thread() / 32)[which * kMixer + t * kStates + Lane::place(k / 4) + k % 4] = both[i];
    }
  }

  /// The outputs of a tile that has been walked. A thread reads the slots that it has written, and writes next.
  BS_DEVICE void finish(std::int64_t first) {
    float dskip = 0.0F, dbias = 0.0F;
    for (int i = M::thread(); i < kColumn; i += kThreads) {
      const std::int64_t step = first + i / kChannels, at = job_.row(part_.entry, step) * job_.channels + part_.channel + channel();
      if (step >= job_.seq || channel() >= part_.count) continue;
      const auto now = *reinterpret_cast<const cuda::Four*>(slot(i));
      const float u = value(job_.u, at), z = value(job_.z, at), dout = value(job_.dout, at), gate = sigmoid<M>(z), gy = dout * (z * gate);
      const float skip = job_.skip[part_.channel + channel()], v = value(job_.delta, at) + job_.bias[part_.channel + channel()];
      const float ddelta = (u * now.x[2] + now.x[3]) * sigmoid<M>(v);  // which beyond softplus' threshold is 1 in all digits
      static_cast<T*>(job_.du)[at] = M::template round<T>(skip * gy + now.x[0] * now.x[2]);
      static_cast<T*>(job_.ddelta)[at] = M::template round<T>(ddelta);
      static_cast<T*>(job_.dz)[at] = M::template round<T>(dout * (now.x[1] + skip * u) * (gate * (1.0F + z * (1.0F - gate))));
      dskip += gy * u;
      dbias += ddelta;
    }
    dskip_.add(dskip);
    dbias_.add(dbias);
  }

  /// dB (0) or dC (1) of a tile's steps, over the block's warps.
  BS_DEVICE void finish_mixer(std::int64_t first, int which, float* whole) const {
    float* const own = whole + (part_.channel % job_.group_channels()) / kChannels * job_.piece;
    for (int i = M::thread(); i < kMixer; i += kThreads) {
      const int t = i / kStates, n = i % kStates;
      if (first + t >= job_.seq || n >= job_.state) continue;
      float sum = 0.0F;
      for (int warp = 0; warp < kWarps; ++warp) sum += parts(warp)[which * kMixer + i];
      own[(job_.row(part_.entry, first + t) * job_.groups + part_.group) * job_.state + n] = sum;
    }
  }

  BS_DEVICE void leave_sums(const CarefulSum (&sums)[kEach], float* to) const {
    float mine[1][kEach];
    BS_UNROLL
    for (int k = 0; k < kEach; ++k) mine[0][k] = sums[k].sum;
    lane_.store(to + entry_channel() * job_.state, mine);
  }
  BS_DEVICE void leave() const {
    leave_sums(da_, job_.da);
    if (job_.constant_b) leave_sums(db_, job_.db);
    if (job_.constant_c) leave_sums(dc_, job_.dc);
    float mine[1][kEach];
    Numbers::to(later_, mine[0]);
    lane_.store(job_.dh0 + entry_channel() * job_.state, mine);
    M::sync();  // nobody reads parts any more
    parts(0)[M::thread()] = dskip_.sum;
    parts(0)[kThreads + M::thread()] = dbias_.sum;
    M::sync();
    for (int i = M::thread(); i < 2 * kChannels; i += kThreads) {
      if (i % kChannels >= part_.count) continue;
      float sum = 0.0F;
      for (int thread = i % kChannels; thread < kThreads; thread += kChannels) sum += parts(0)[i / kChannels * kThreads + thread];
      (i < kChannels ? job_.dskip : job_.dbias)[entry_channel() + i % kChannels] = sum;
    }
  }

  SelectivePlainJob job_;
  SelectivePart part_;
  Lane lane_;
  LaneMixer<M, Shape, N> b_, c_;
  typename Numbers::Values a_, later_;  // a as lane_decay has it; conj(exp(d A)) r of the step behind
  CarefulSum da_[kEach], db_[kEach], dc_[kEach], dskip_, dbias_;
  float* slots_;  // the block's shared memory
};

}  // namespace bench::scan
