// SPDX-License-Identifier: Apache-2.0
// A tile of a recurrence with time last, (B, C, L), as a block of a device has it: one channel's steps side by side. Each thread has kPieces pieces of 16
// bytes; the 32 pieces that a warp's lanes have side by side are scanned by shuffles, warps meet in shared memory once a tile.
//
// Pieces are cut at multiples of 16 bytes of the whole tensor, wherever a channel begins, so that any L is read and written in whole pieces; those at a
// channel's two ends element by element. What lies ahead of its first step is a = 1, x = 0. What lies behind the last one matters to nobody.
#pragma once

#include "kernels/scan/recurrence_element.hpp"
#include "kernels/scan/recurrence_job.hpp"

namespace bench::scan {

template <class M, class T, Sweep kSweep, int kPieces>
class StepsTile {
  static constexpr int kEach = Element<T>::kEach, kWarps = 8, kWarpPieces = 32 * kPieces;
  static constexpr bool kForward = kSweep == Sweep::forward;
  using Words = typename M::Words;

 public:
  using Stored = T;
  using Number = typename Element<T>::Number;
  using Map = StepMap<Number>;
  template <Sweep kOther>
  using Of = StepsTile<M, T, kOther, kPieces>;  // the same tile of another sweep
  static constexpr int kThreads = 32 * kWarps;
  static constexpr int kChannels = 1, kOwn = 1;  // of a tile, and of them each thread's
  static constexpr int kSteps = kThreads * kPieces * kEach;
  static constexpr int kSharedBytes = 2 * kWarps * static_cast<int>(sizeof(Map));

  static BS_HOST_DEVICE std::int64_t groups(const RecurrenceJob& job) { return job.batch * job.channels; }
  static BS_HOST_DEVICE std::int64_t group_of(const RecurrenceJob& /*job*/, std::int64_t channel) { return channel; }
  /// Enough for a channel that begins anywhere in a piece.
  static BS_HOST_DEVICE std::int64_t tiles(const RecurrenceJob& job) {
    const std::int64_t ahead = job.seq % kEach == 0 ? 0 : kEach - 1;
    return (job.seq + ahead + kSteps - 1) / kSteps;
  }
  /// A step of a channel of all entries, in a tensor.
  static BS_HOST_DEVICE std::int64_t index(const RecurrenceJob& job, std::int64_t channel, std::int64_t step) { return channel * job.seq + step; }

  BS_DEVICE StepsTile(const RecurrenceJob& job, std::int64_t channel)
      : job_(job), channel_(channel), begin_(channel * job.seq), first_(begin_ / kEach), last_((begin_ + job.seq - 1) / kEach) {}

  /// Asks for a tile; take() makes it the one the rest is about.
  BS_DEVICE void fetch(std::int64_t tile) {
    BS_UNROLL
    for (int k = 0; k < kPieces; ++k) {
      const std::int64_t t = step_of(tile, k);
      next_a_[k] = load(job_.a, t, Element<T>::unit());
      if constexpr (kSweep == Sweep::backward_carries) leave_out_first(next_a_[k], t);
      next_x_[k] = load(job_.x, t, T{});
      if constexpr (kSweep == Sweep::backward) next_h_[k] = load(job_.h, t, T{});
    }
    if constexpr (!kForward)
      if (const std::int64_t t = step_of(tile, 0) + kEach; lane() == 0) next_a_edge_ = kSweep == Sweep::backward_carries && t == 0 ? Element<T>::unit() : element(job_.a, t, Element<T>::unit());
    if constexpr (kSweep == Sweep::backward)
      if (lane() == 31) next_h_edge_ = element(job_.h, step_of(tile, kPieces - 1) - 1, T{});
  }

  BS_DEVICE void take(std::int64_t tile) {
    tile_ = tile;
    BS_UNROLL
    for (int k = 0; k < kPieces; ++k) {
      a_[k] = next_a_[k];
      x_[k] = next_x_[k];
      if constexpr (kSweep == Sweep::backward) h_[k] = next_h_[k];
    }
    if constexpr (!kForward) meet_neighbours();
  }

  /// What each piece finds, and what the tile does; `turn` alternates from tile to tile.
  BS_DEVICE void scan(int turn) {
    Map warp;
    BS_UNROLL
    for (int k = 0; k < kPieces; ++k) {
      const Map piece = scanned_over_lanes<M>(whole_piece(k));
      const Map earlier = shuffled<M>(piece, (lane() - 1) & 31);
      before_[k] = lane() == 0 ? warp : earlier.after(warp);
      warp = shuffled<M>(piece, 31).after(warp);
    }
    Map* const maps = reinterpret_cast<Map*>(M::shared_floats()) + turn * kWarps;
    if (lane() == 0) maps[warp_index()] = warp;
    M::sync();  // all warps' maps are there; those of two tiles ago nobody reads any more
    Map ahead;
    BS_UNROLL
    for (int w = 0; w < kWarps; ++w) {
      if (w == warp_index()) ahead = total_;
      total_ = w == 0 ? maps[0] : maps[w].after(total_);
    }
    if (warp_index() == 0) return;
    BS_UNROLL
    for (int k = 0; k < kPieces; ++k) before_[k] = before_[k].after(ahead);
  }
  BS_DEVICE const Map& total(int) const { return total_; }
  BS_DEVICE static int place(int) { return 0; }                       // in the group
  BS_DEVICE std::int64_t channel_at(int) const { return channel_; }  // of (B, C); -1: none
  BS_DEVICE std::int64_t channel(int) const { return channel_; }
  BS_DEVICE static bool speaks() { return M::thread() == 0; }        // for its channels

  /// The tile's outputs, from the states before it.
  BS_DEVICE void write(const Number (&carry)[1]) const {
    BS_UNROLL
    for (int k = 0; k < kPieces; ++k) write_piece(k, before_[k](carry[0]));
  }

 private:
  BS_DEVICE static int lane() { return M::thread() % 32; }
  BS_DEVICE static int warp_index() { return M::thread() / 32; }
  /// Which of a piece's elements is p-th on the way.
  BS_DEVICE static int element_at(int p) { return kForward ? p : kEach - 1 - p; }

  /// The step of a piece's first element; may lie outside.
  BS_DEVICE std::int64_t step_of(std::int64_t tile, int k) const {
    const std::int64_t piece = (tile * kWarps + warp_index()) * kWarpPieces + k * 32 + lane();
    return (kForward ? first_ + piece : last_ - piece) * kEach - begin_;
  }
  BS_DEVICE bool inside(std::int64_t t) const { return t >= 0 && t < job_.seq; }
  BS_DEVICE bool whole(std::int64_t t) const { return t >= 0 && t + kEach <= job_.seq; }

  BS_DEVICE T element(const void* tensor, std::int64_t t, T otherwise) const {
    return inside(t) ? static_cast<const T*>(tensor)[begin_ + t] : otherwise;
  }
  BS_DEVICE Words load(const void* tensor, std::int64_t t, T otherwise) const {
    if (whole(t)) return M::load16(static_cast<const T*>(tensor) + begin_ + t);
    Words words = {};
    BS_UNROLL
    for (int i = 0; i < kEach; ++i) Element<T>::template put<M>(words, i, element(tensor, t + i, otherwise));
    return words;
  }
  /// Carries end with the first step's state, before its decay.
  BS_DEVICE static void leave_out_first(Words& a, std::int64_t t) {
    if (t > 0 || t <= -kEach) return;
    BS_UNROLL
    for (int i = 0; i < kEach; ++i)
      if (t + i == 0) Element<T>::template put<M>(a, i, Element<T>::unit());
  }
  BS_DEVICE void store(void* tensor, std::int64_t t, const Words& words) const {
    T* const to = static_cast<T*>(tensor) + begin_ + t;
    if (whole(t)) return M::store16(to, words);
    BS_UNROLL
    for (int i = 0; i < kEach; ++i)
      if (inside(t + i)) to[i] = Element<T>::template take<M>(words, i);
  }
  BS_DEVICE static Number get(const Words& words, int i) { return Element<T>::template get<M>(words, i); }

  /// Backward: a of the element that comes before a piece on the way, and h of the one that comes after it.
  BS_DEVICE void meet_neighbours() {
    BS_UNROLL
    for (int k = 0; k < kPieces; ++k) {
      const Number a = shuffled<M>(get(a_[k], 0), (lane() - 1) & 31);
      const Number ahead = k == 0 ? Element<T>::template widen<M>(next_a_edge_) : shuffled<M>(get(a_[k == 0 ? 0 : k - 1], 0), 31);
      a_before_[k] = lane() == 0 ? ahead : a;
      if constexpr (kSweep == Sweep::backward) {
        constexpr int kLast = kEach - 1;
        const Number h = shuffled<M>(get(h_[k], kLast), (lane() + 1) & 31);
        const Number behind = k == kPieces - 1 ? Element<T>::template widen<M>(next_h_edge_) : shuffled<M>(get(h_[k == kPieces - 1 ? k : k + 1], kLast), 0);
        h_after_[k] = lane() == 31 ? behind : h;
      }
    }
  }

  /// Bit i: a sequence begins with the i-th element of the piece; i up to kEach.
  BS_DEVICE std::uint32_t starts_of(int k) const {
    if (job_.starts == nullptr) return 0;
    const std::int64_t t = step_of(tile_, k);
    return t > -kEach && t < job_.seq ? starts_from(job_.starts, t) : 0;
  }
  /// What takes the state to the p-th element on the way.
  BS_DEVICE Number decay(int k, int p, std::uint32_t starts) const {
    const int i = element_at(p);
    if constexpr (kForward) return (starts >> i & 1U) != 0 ? Number{} : get(a_[k], i);
    if ((starts >> (i + 1) & 1U) != 0) return Number{};
    return conjugate(p == 0 ? a_before_[k] : get(a_[k], p == 0 ? 0 : i + 1));
  }
  BS_DEVICE Map whole_piece(int k) const {
    const std::uint32_t starts = starts_of(k);
    Map map{decay(k, 0, starts), get(x_[k], element_at(0))};
    BS_UNROLL
    for (int p = 1; p < kEach; ++p) {
      const Number a = decay(k, p, starts);
      map = {times(a, map.a), step(a, map.b, get(x_[k], element_at(p)))};
    }
    return map;
  }

  BS_DEVICE void write_piece(int k, Number state) const {
    const std::int64_t t = step_of(tile_, k);
    const std::uint32_t starts = starts_of(k);
    const int last = static_cast<int>(kForward ? job_.seq - 1 - t : -t);  // on the way; no element of the piece where it lies elsewhere
    const bool ends = t <= (kForward ? job_.seq - 1 : 0) && t > (kForward ? job_.seq - 1 : 0) - kEach;
    Number y[kEach], da[kEach];
    BS_UNROLL
    for (int p = 0; p < kEach; ++p) {
      const int i = element_at(p);
      state = step(decay(k, p, starts), state, get(x_[k], i));
      y[i] = state;
      if constexpr (!kForward) {
        Number h = p == kEach - 1 ? h_after_[k] : get(h_[k], p == kEach - 1 ? 0 : i - 1);
        if (ends && i == last) h = static_cast<const Number*>(job_.h0)[channel_];
        if ((starts >> i & 1U) != 0) h = Number{};  // also with the first step, of a rank's share
        da[i] = product(state, conjugate(h));
      }
    }
    store(job_.y, t, Element<T>::template pack<M>(y));
    if constexpr (!kForward) store(job_.da, t, Element<T>::template pack<M>(da));
    if (!ends) return;
    BS_UNROLL
    for (int i = 0; i < kEach; ++i)
      if (i == last) static_cast<Number*>(job_.end)[channel_] = kForward ? y[i] : product(conjugate(get(a_[k], i)), y[i]);
  }

  const RecurrenceJob& job_;
  std::int64_t channel_, begin_, first_, last_, tile_ = 0;
  Words a_[kPieces], x_[kPieces], h_[kPieces], next_a_[kPieces], next_x_[kPieces], next_h_[kPieces];
  T next_a_edge_{}, next_h_edge_{};
  Number a_before_[kPieces], h_after_[kPieces];
  Map before_[kPieces], total_;
};

}  // namespace bench::scan
