// SPDX-License-Identifier: Apache-2.0
// A recurrence in one pass by blocks that wait for each other: decoupled look-back (Merrill & Garland, NVR-2016-002). A block takes a tile by ticket, publishes
// what the tile does to a state (its map), looks back at the tiles before it until it knows the state it begins with, publishes the state it ends with and
// writes its outputs. Which order a device starts blocks in is not promised; tickets are given to blocks that have started, and tiles are dealt out with the
// first tiles of all channels first, so that a block waits only for such as run, and those publish their maps without waiting for anybody.
//
// A record is a channel's map after a tile: 64-bit words, one number of 32 bits and a tag of 32 bits each, two words a 16-byte store (two stores of complex
// maps). The memory model of PTX (ISA 8.5, 8.2) knows a vector access only as accesses of its elements in any order, so what is read may be half a record. But
// each 64-bit word is read as it was written, and tells by its tag what it belongs to: a reader waits until all words of a record have one tag. Nothing
// else is told, so nothing has to be released or acquired: relaxed accesses suffice. A tag is the launch's number, doubled, and one more for the second
// record of a tile, which is a state: the map that leaves h whatever came before, (0, h). So maps and states are one thing to whoever looks back, and a
// product of decays that has come to 0 ends the search, too.
//
// Tickets are not taken back: all launches take equally many, so a ticket tells both the number of the launch and the tile, and nothing is to be reset.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/scan/recurrence_job.hpp"
#include "kernels/scan/recurrence_number.hpp"

namespace bench::scan {

/// Which tile of which group of channels a ticket is for.
struct LookbackTurn {
  std::int64_t tile, group;
  std::uint32_t tag;

  BS_HOST_DEVICE LookbackTurn(std::uint64_t ticket, std::int64_t tiles, std::int64_t groups) {
    const auto all = static_cast<std::uint64_t>(tiles * groups);
    const auto mine = static_cast<std::int64_t>(ticket % all);
    tile = mine / groups;
    group = mine % groups;
    tag = static_cast<std::uint32_t>(ticket / all + 1) * 2;  // records are zero before the first launch
  }
};

/// Maps as blocks tell them to each other.
template <class M, class S>
struct LookbackRecord {
  static constexpr int kStores = static_cast<int>(sizeof(S)) / 4, kBytes = kStores * 16;

  static BS_DEVICE void publish(std::byte* to, const StepMap<S>& map, std::uint32_t tag) {
    if constexpr (kStores == 1) {
      M::publish16(to, {{M::word_of(map.a), tag, M::word_of(map.b), tag}});
    } else {
      M::publish16(to, {{M::word_of(map.a.re), tag, M::word_of(map.a.im), tag}});
      M::publish16(to + 16, {{M::word_of(map.b.re), tag, M::word_of(map.b.im), tag}});
    }
  }
  static BS_DEVICE StepMap<S> await(const std::byte* from, std::uint32_t tag) {
    typename M::Words got[kStores];
    M::await16(got, from, tag);
    if constexpr (kStores == 1)
      return {M::number(got[0].word[0]), M::number(got[0].word[2])};
    else
      return {{M::number(got[0].word[0]), M::number(got[0].word[2])}, {M::number(got[1].word[0]), M::number(got[1].word[2])}};
  }
};

template <class M, class Tile>
class RecurrenceLookback {
  using Number = typename Tile::Number;
  using Map = typename Tile::Map;
  using Record = LookbackRecord<M, Number>;
  static constexpr int kWarps = Tile::kThreads / 32, kChannels = Tile::kChannels;

 public:
  /// Tiles that a channel looks back at together: a warp for one channel, otherwise 8 lanes.
  static constexpr int kWindow = kChannels == 1 ? 32 : 8;
  static constexpr int kRecordBytes = Record::kBytes;
  static constexpr int kThreads = Tile::kThreads;
  static constexpr int kSharedBytes = Tile::kSharedBytes + kChannels * static_cast<int>(sizeof(Map) + sizeof(Number)) + 8;

  static BS_HOST_DEVICE std::int64_t blocks(const RecurrenceJob& job) { return Tile::groups(job) * Tile::tiles(job); }

  static BS_DEVICE void run(const RecurrenceJob& job) { RecurrenceLookback(job).run(); }

 private:
  BS_DEVICE explicit RecurrenceLookback(const RecurrenceJob& job) : job_(job), tiles_(Tile::tiles(job)), turn_(take_turn()), tile_(job, turn_.group) {}

  BS_DEVICE void run() {
    tile_.fetch(turn_.tile);
    tile_.take(turn_.tile);
    tile_.scan(0);
    if (Tile::speaks()) tell();
    M::sync();  // what the tile does to each channel is in shared memory
    look_back();
    M::sync();  // the states it begins with are
    Number carry[Tile::kOwn];
    BS_UNROLL
    for (int w = 0; w < Tile::kOwn; ++w) carry[w] = states()[Tile::place(w)];
    tile_.write(carry);
  }

  BS_DEVICE static std::uint64_t* ticket() { return reinterpret_cast<std::uint64_t*>(M::shared_floats() + Tile::kSharedBytes / 4); }
  BS_DEVICE static Map* maps() { return reinterpret_cast<Map*>(ticket() + 1); }
  BS_DEVICE static Number* states() { return reinterpret_cast<Number*>(maps() + kChannels); }
  BS_DEVICE std::byte* record(std::int64_t channel, std::int64_t tile) const {
    return static_cast<std::byte*>(job_.records) + (channel * tiles_ + tile) * Record::kBytes;
  }

  BS_DEVICE LookbackTurn take_turn() const {
    if (M::thread() == 0) *ticket() = M::take_ticket(job_.tickets);
    M::sync();  // the block's ticket is there
    return LookbackTurn(*ticket(), tiles_, Tile::groups(job_));
  }

  BS_DEVICE void tell() const {
    BS_UNROLL
    for (int w = 0; w < Tile::kOwn; ++w) {
      maps()[Tile::place(w)] = tile_.total(w);
      if (tile_.channel(w) >= 0) Record::publish(record(tile_.channel(w), turn_.tile), tile_.total(w), turn_.tag);
    }
  }

  /// Each warp for some of the channels, kWindow lanes a channel.
  BS_DEVICE void look_back() const {
    constexpr int kTogether = 32 / kWindow;
    const int lane = M::thread() % 32, leader = lane / kWindow * kWindow;
    for (int first = M::thread() / 32 * kTogether; first < kChannels; first += kWarps * kTogether) {
      const int place = first + lane / kWindow;
      const std::int64_t channel = tile_.channel_at(place);
      const Number state = state_before(channel, lane % kWindow, leader);
      if (lane != leader || channel < 0) continue;
      states()[place] = state;
      Record::publish(record(channel, turn_.tile), {Number{}, maps()[place](state)}, turn_.tag + 1);
    }
  }

  /// Lane i of a window sees the tile i + 1 before the window's end.
  BS_DEVICE Number state_before(std::int64_t channel, int i, int leader) const {
    Map so_far;
    for (std::int64_t end = turn_.tile;; end -= kWindow) {
      const Map window = shuffled<M>(joined(look_at(channel, end - 1 - i)), leader);
      so_far = so_far.after(window);
      const bool more = channel >= 0 && !is_zero(so_far.a) && end >= kWindow;  // from there on the window had the state before the first tile
      if (!M::any(more)) return so_far.b;
    }
  }

  BS_DEVICE Map look_at(std::int64_t channel, std::int64_t tile) const {
    if (channel < 0 || tile < -1) return Map{};
    if (tile == -1) return {Number{}, static_cast<const Number*>(job_.seed)[channel]};
    return Record::await(record(channel, tile), turn_.tag);
  }

  /// A window's maps as one, in its first lane: each step joins runs of neighbours, the later tiles in the lower lanes.
  BS_DEVICE static Map joined(Map map) {
    const int lane = M::thread() % 32;
    BS_UNROLL
    for (int lanes = 1; lanes < kWindow; lanes *= 2) map = map.after(shuffled<M>(map, (lane + lanes) & 31));
    return map;
  }

  const RecurrenceJob& job_;
  std::int64_t tiles_;
  LookbackTurn turn_;
  Tile tile_;
};

}  // namespace bench::scan
