// SPDX-License-Identifier: Apache-2.0
// A tile of a recurrence with time in the middle, (B, L, C), as a block of a device has it: 32 lanes are as many channels (twice as many of 16 bits where C
// is even), each warp takes kWarpSteps consecutive steps of them, and warps meet in shared memory once a tile.
#pragma once

#include "kernels/scan/recurrence_element.hpp"
#include "kernels/scan/recurrence_job.hpp"

namespace bench::scan {

template <class M, class T, Sweep kSweep, int kWarpSteps, int kWidth>
class ChannelsTile {
  static constexpr int kWarps = 8;
  static constexpr bool kForward = kSweep == Sweep::forward;
  static_assert(kWarpSteps < 32, "a warp's steps and the one after them are bits of a word");
  using Raw = typename Neighbours<T, kWidth>::Raw;

 public:
  using Stored = T;
  using Number = typename Element<T>::Number;
  using Map = StepMap<Number>;
  template <Sweep kOther>
  using Of = ChannelsTile<M, T, kOther, kWarpSteps, kWidth>;  // the same tile of another sweep
  static constexpr int kThreads = 32 * kWarps;
  static constexpr int kChannels = 32 * kWidth, kOwn = kWidth;  // of a tile, and of them each thread's
  static constexpr int kSteps = kWarps * kWarpSteps;
  static constexpr int kSharedBytes = 2 * kWarps * kChannels * static_cast<int>(sizeof(Map));

  static BS_HOST_DEVICE std::int64_t blocks_of_channels(const RecurrenceJob& job) { return (job.channels + kChannels - 1) / kChannels; }
  static BS_HOST_DEVICE std::int64_t groups(const RecurrenceJob& job) { return job.batch * blocks_of_channels(job); }
  static BS_HOST_DEVICE std::int64_t group_of(const RecurrenceJob& job, std::int64_t channel) {
    return channel / job.channels * blocks_of_channels(job) + channel % job.channels / kChannels;
  }
  static BS_HOST_DEVICE std::int64_t tiles(const RecurrenceJob& job) { return (job.seq + kSteps - 1) / kSteps; }
  /// A step of a channel of all entries, in a tensor.
  static BS_HOST_DEVICE std::int64_t index(const RecurrenceJob& job, std::int64_t channel, std::int64_t step) {
    return (channel / job.channels * job.seq + step) * job.channels + channel % job.channels;
  }

  BS_DEVICE ChannelsTile(const RecurrenceJob& job, std::int64_t group) : job_(job), entry_(group / blocks_of_channels(job)) {
    first_of_group_ = group % blocks_of_channels(job) * kChannels;
    first_ = first_of_group_ + lane() * kWidth;
  }

  /// Asks for a tile; take() makes it the one the rest is about.
  BS_DEVICE void fetch(std::int64_t tile) {
    const std::int64_t place = place_of(tile), at = first_element(place);
    const int there = steps_there(place);
    const int decays = kSweep == Sweep::backward_carries && place + there == job_.seq ? there - 1 : there;  // carries end with the first step's state, before its decay
    BS_UNROLL
    for (int p = 0; p < kWarpSteps; ++p) {
      next_a_[p] = load(job_.a, at, p, p < decays, Element<T>::unit());
      next_x_[p] = load(job_.x, at, p, p < there, T{});
      if constexpr (kSweep == Sweep::backward) next_h_[p] = load(job_.h, at, p + 1, p < there && place + p + 1 < job_.seq, T{});
    }
    if constexpr (!kForward) next_a_before_ = load(job_.a, at, -1, there > 0 && place > 0, Element<T>::unit());
  }

  BS_DEVICE void take(std::int64_t tile) {
    tile_ = tile;
    BS_UNROLL
    for (int p = 0; p < kWarpSteps; ++p) {
      a_[p] = next_a_[p];
      x_[p] = next_x_[p];
      if constexpr (kSweep == Sweep::backward) h_[p] = next_h_[p];
    }
    if constexpr (!kForward) a_before_ = next_a_before_;
    starts_ = starts();
  }

  /// What each warp finds, and what the tile does; `turn` alternates from tile to tile.
  BS_DEVICE void scan(int turn) {
    Map* const maps = reinterpret_cast<Map*>(M::shared_floats()) + turn * kWarps * kChannels;
    BS_UNROLL
    for (int w = 0; w < kWidth; ++w) {
      Map map{decay(0, w), widen(x_[0].of[w])};
      BS_UNROLL
      for (int p = 1; p < kWarpSteps; ++p) {
        const Number a = decay(p, w);
        map = {times(a, map.a), step(a, map.b, widen(x_[p].of[w]))};
      }
      maps[(warp_index() * kWidth + w) * 32 + lane()] = map;
    }
    M::sync();  // all warps' maps are there; those of two tiles ago nobody reads any more
    BS_UNROLL
    for (int w = 0; w < kWidth; ++w) {
      Map so_far;
      BS_UNROLL
      for (int i = 0; i < kWarps; ++i) {
        const Map& map = maps[(i * kWidth + w) * 32 + lane()];
        if (i == warp_index()) before_[w] = so_far;
        so_far = i == 0 ? map : map.after(so_far);
      }
      total_[w] = so_far;
    }
  }
  BS_DEVICE const Map& total(int w) const { return total_[w]; }
  BS_DEVICE static int place(int w) { return lane() * kWidth + w; }  // in the group
  /// Of (B, C); -1: none.
  BS_DEVICE std::int64_t channel_at(int place) const {
    const std::int64_t channel = first_of_group_ + place;
    return channel < job_.channels ? entry_ * job_.channels + channel : -1;
  }
  BS_DEVICE std::int64_t channel(int w) const { return channel_at(place(w)); }
  BS_DEVICE static bool speaks() { return warp_index() == 0; }  // for its channels

  /// The tile's outputs, from the states before it.
  BS_DEVICE void write(const Number (&carry)[kWidth]) const {
    const std::int64_t place = place_of(tile_), at = first_element(place);
    const int there = steps_there(place), last = place + there == job_.seq ? there - 1 : -1;
    Number state[kWidth];
    BS_UNROLL
    for (int w = 0; w < kWidth; ++w) state[w] = before_[w](carry[w]);
    BS_UNROLL
    for (int p = 0; p < kWarpSteps; ++p) {
      if (p >= there) break;
      write_step(p, at, p == last, state);
      if (p == last) leave_end(p, state);
    }
  }

 private:
  BS_DEVICE static int lane() { return M::thread() % 32; }
  BS_DEVICE static int warp_index() { return M::thread() / 32; }
  BS_DEVICE static Number widen(T x) { return Element<T>::template widen<M>(x); }

  /// Of this warp's first step, in the order of the pass.
  BS_DEVICE std::int64_t place_of(std::int64_t tile) const { return (tile * kWarps + warp_index()) * kWarpSteps; }
  BS_DEVICE std::int64_t step_at(std::int64_t place) const { return kForward ? place : job_.seq - 1 - place; }
  /// Of this warp's steps those that there are, for a lane that has a channel.
  BS_DEVICE int steps_there(std::int64_t place) const {
    const std::int64_t left = first_ < job_.channels ? job_.seq - place : 0;
    return static_cast<int>(left < 0 ? 0 : left < kWarpSteps ? left : kWarpSteps);
  }

  /// This lane's elements of a warp's steps: the first of them, and those a number of steps on.
  BS_DEVICE std::int64_t first_element(std::int64_t place) const { return (entry_ * job_.seq + step_at(place)) * job_.channels + first_; }
  BS_DEVICE std::int64_t element(std::int64_t first, int steps) const { return kForward ? first + steps * job_.channels : first - steps * job_.channels; }
  BS_DEVICE Raw load(const void* tensor, std::int64_t first, int steps, bool there, T otherwise) const {
    if (!there) return Neighbours<T, kWidth>::all(otherwise);
    return *reinterpret_cast<const Raw*>(static_cast<const T*>(tensor) + element(first, steps));
  }
  BS_DEVICE void store(void* tensor, std::int64_t first, int steps, const Number (&x)[kWidth]) const {
    *reinterpret_cast<Raw*>(static_cast<T*>(tensor) + element(first, steps)) = Neighbours<T, kWidth>::template pack<M>(x);
  }

  /// Bit p: a sequence begins with this warp's p-th step, forward; backward with its p-th last, kWarpSteps: with the step after the first on the way.
  BS_DEVICE std::uint32_t starts() const {
    const std::int64_t place = place_of(tile_);
    if (job_.starts == nullptr || place >= job_.seq) return 0;
    const std::int64_t t = kForward ? place : step_at(place) - (kWarpSteps - 1);
    return starts_from(job_.starts, t);
  }
  BS_DEVICE bool starts_at(int p) const { return (starts_ >> (kForward ? p : kWarpSteps - 1 - p) & 1U) != 0; }

  /// What takes the state to the p-th step on the way.
  BS_DEVICE Number decay(int p, int w) const {
    if constexpr (kForward) return starts_at(p) ? Number{} : widen(a_[p].of[w]);
    if (starts_at(p - 1)) return Number{};
    return conjugate(widen(p == 0 ? a_before_.of[w] : a_[p == 0 ? 0 : p - 1].of[w]));
  }

  BS_DEVICE void write_step(int p, std::int64_t first, bool last, Number (&state)[kWidth]) const {
    Number da[kWidth];
    BS_UNROLL
    for (int w = 0; w < kWidth; ++w) {
      state[w] = step(decay(p, w), state[w], widen(x_[p].of[w]));
      if constexpr (!kForward) {
        Number h = widen(h_[p].of[w]);
        if (last) h = static_cast<const Number*>(job_.h0)[channel(w)];
        if (starts_at(p)) h = Number{};  // also with the first step, of a rank's share
        da[w] = product(state[w], conjugate(h));
      }
    }
    store(job_.y, first, p, state);
    if constexpr (!kForward) store(job_.da, first, p, da);
  }

  BS_DEVICE void leave_end(int p, const Number (&state)[kWidth]) const {
    BS_UNROLL
    for (int w = 0; w < kWidth; ++w)
      static_cast<Number*>(job_.end)[channel(w)] = kForward ? state[w] : product(conjugate(widen(a_[p].of[w])), state[w]);
  }

  const RecurrenceJob& job_;
  std::int64_t entry_, first_of_group_, first_, tile_ = 0;
  std::uint32_t starts_ = 0;
  Raw a_[kWarpSteps], x_[kWarpSteps], h_[kWarpSteps], next_a_[kWarpSteps], next_x_[kWarpSteps], next_h_[kWarpSteps], a_before_, next_a_before_;
  Map before_[kWidth], total_[kWidth];
};

}  // namespace bench::scan
