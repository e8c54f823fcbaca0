// SPDX-License-Identifier: Apache-2.0
// Blocks of a device that go through a recurrence's tiles one after the other, the next tile on its way while one is worked on. A block takes all steps of its
// channels, or one span of them; spans need carries, which come from three launches in fixed order: reduce, scan_carries, rescan (Blelloch 1990).
//
// The order of all operations follows from the sizes alone: every run has the same bits.
#pragma once

#include "kernels/scan/recurrence_job.hpp"
#include "kernels/scan/recurrence_number.hpp"

namespace bench::scan {

template <class Tile>
BS_HOST_DEVICE std::int64_t launch_groups(const RecurrenceJob& job) {
  return Tile::group_of(job, job.channel_end) - Tile::group_of(job, job.channel0);
}

/// All steps, or one span, from the state before it.
template <class M, class Tile>
class RecurrenceStream {
  using Number = typename Tile::Number;

 public:
  static constexpr int kThreads = Tile::kThreads, kSharedBytes = Tile::kSharedBytes;
  static BS_HOST_DEVICE std::int64_t blocks(const RecurrenceJob& job) { return launch_groups<Tile>(job) * job.spans; }

  static BS_DEVICE void run(const RecurrenceJob& job) {
    const std::int64_t span = M::block() % job.spans, first = span * job.tiles_a_span;
    Tile tile(job, Tile::group_of(job, job.channel0) + M::block() / job.spans);
    Number carry[Tile::kOwn];
    BS_UNROLL
    for (int w = 0; w < Tile::kOwn; ++w) carry[w] = state_before(job, tile.channel(w), span);
    const std::int64_t all = Tile::tiles(job), end = all - first < job.tiles_a_span ? all : first + job.tiles_a_span;
    tile.fetch(first);
    for (std::int64_t i = first; i < end; ++i) {
      tile.take(i);
      if (i + 1 < end) tile.fetch(i + 1);
      tile.scan(static_cast<int>(i % 2));
      tile.write(carry);
      BS_UNROLL
      for (int w = 0; w < Tile::kOwn; ++w) carry[w] = tile.total(w)(carry[w]);
    }
  }

 private:
  static BS_DEVICE Number state_before(const RecurrenceJob& job, std::int64_t channel, std::int64_t span) {
    if (channel < 0) return Number{};
    if (job.spans == 1) return static_cast<const Number*>(job.seed)[channel];
    return static_cast<const Number*>(job.states)[channel * job.spans + span];
  }
};

/// The map of each span but the last.
template <class M, class Tile>
struct RecurrenceReduce {
  static constexpr int kThreads = Tile::kThreads, kSharedBytes = Tile::kSharedBytes;
  static BS_HOST_DEVICE std::int64_t blocks(const RecurrenceJob& job) { return launch_groups<Tile>(job) * job.spans; }

  static BS_DEVICE void run(const RecurrenceJob& job) {
    const std::int64_t span = M::block() % job.spans, first = span * job.tiles_a_span;
    if (span == job.spans - 1) return;
    Tile tile(job, Tile::group_of(job, job.channel0) + M::block() / job.spans);
    typename Tile::Map map[Tile::kOwn];
    tile.fetch(first);
    for (std::int64_t i = first; i < first + job.tiles_a_span; ++i) {
      tile.take(i);
      if (i + 1 < first + job.tiles_a_span) tile.fetch(i + 1);
      tile.scan(static_cast<int>(i % 2));
      BS_UNROLL
      for (int w = 0; w < Tile::kOwn; ++w) map[w] = tile.total(w).after(map[w]);
    }
    if (!Tile::speaks()) return;
    BS_UNROLL
    for (int w = 0; w < Tile::kOwn; ++w)
      if (tile.channel(w) >= 0) static_cast<typename Tile::Map*>(job.maps)[tile.channel(w) * job.spans + span] = map[w];
  }
};

/// The state before each span, from the seed and their maps: a warp a channel, 32 spans at a time.
template <class M, class S>
struct RecurrenceCarries {
  static constexpr int kThreads = 128, kSharedBytes = 0, kWarps = kThreads / 32;
  static BS_HOST_DEVICE std::int64_t blocks(const RecurrenceJob& job) { return (job.channel_end - job.channel0 + kWarps - 1) / kWarps; }

  static BS_DEVICE void run(const RecurrenceJob& job) {
    const std::int64_t channel = job.channel0 + static_cast<std::int64_t>(M::block()) * kWarps + M::thread() / 32;
    if (channel >= job.channel_end) return;
    const int lane = M::thread() % 32;
    const StepMap<S>* const maps = static_cast<const StepMap<S>*>(job.maps) + channel * job.spans;
    S* const states = static_cast<S*>(job.states) + channel * job.spans;
    S carry = static_cast<const S*>(job.seed)[channel];
    const auto load = [&](std::int64_t span) { return span < job.spans - 1 ? maps[span] : StepMap<S>{}; };
    StepMap<S> next = load(lane);
    for (std::int64_t first = 0; first < job.spans; first += 32) {
      const StepMap<S> map = scanned_over_lanes<M>(next);
      next = load(first + 32 + lane);
      const StepMap<S> earlier = shuffled<M>(map, (lane - 1) & 31);
      if (first + lane < job.spans) states[first + lane] = lane == 0 ? carry : earlier(carry);
      carry = shuffled<M>(map, 31)(carry);
    }
  }
};

}  // namespace bench::scan
