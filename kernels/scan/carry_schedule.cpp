// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/carry_schedule.hpp"

#include <algorithm>
#include <utility>

namespace bench::scan {
namespace {

using Kind = CarryOp::Kind;

class Builder {
 public:
  Builder(Exchange how, int ranks, int rank, int slabs, bool last_to_all)
      : how_(how), ranks_(ranks), rank_(rank), slabs_(slabs), own_(how == Exchange::allgather ? rank : 0), last_to_all_(last_to_all && ranks > 1) {}

  CarrySchedule made() {
    for (int slab = 0; slab < slabs_; ++slab) {
      add({.kind = Kind::record, .slab = slab, .in = ranks_ > 1 ? own_ : kNoSlot});
      begin(slab);
    }
    for (int slab = 0; slab < slabs_; ++slab) {
      settle(slab);
      if (slab + 1 == slabs_ && how_ != Exchange::allgather && last_to_all_) broadcast();
      add({.kind = Kind::scan, .slab = slab, .out = start()});
      if (how_ == Exchange::allgather && last_to_all_) follow(slab, start(), rank_, ranks_ - rank_, kLast);
    }
    for (const int lane : open_) add({.kind = Kind::wait, .lane = lane});
    return std::move(made_);
  }

 private:
  int up(int distance) const { return (rank_ + distance) % ranks_; }
  int down(int distance) const { return (rank_ - distance % ranks_ + ranks_) % ranks_; }
  int start() const { return rank_ == 0 ? kFirst : kStart; }
  bool last() const { return rank_ + 1 == ranks_; }

  void add(const CarryOp& op) {
    made_.ops.push_back(op);
    if (op.kind == Kind::post && !op.states) made_.records = std::max(made_.records, std::max(op.in, op.out) + 1);
    if (op.kind == Kind::join || op.kind == Kind::record) made_.records = std::max(made_.records, op.in + 1);
  }
  int post(CarryOp op) {
    op.kind = Kind::post;
    op.lane = made_.lanes++;
    add(op);
    return op.lane;
  }
  void wait(int lane) { add({.kind = Kind::wait, .lane = lane}); }
  void follow(int slab, int from, int first, int count, int to) {
    if (count > 0) add({.kind = Kind::follow, .slab = slab, .out = from, .in = to, .earlier = first, .count = count});
  }

  /// What can be asked for once the own record is there.
  void begin(int slab) {
    if (how_ == Exchange::chain && slab == 0) receive_state(0);
    if (how_ == Exchange::exscan && ranks_ > 1) first_round_.push_back(round(slab, 1, own_, own_ + 1));
    if (how_ != Exchange::allgather) return;
    gathers_.emplace_back();
    for (int distance = 1; distance < ranks_; ++distance)
      gathers_.back().push_back(post({.slab = slab, .out = own_, .in = down(distance), .to = up(distance), .from = down(distance)}));
  }

  /// The state before this share; on the last rank, the one behind it too.
  void settle(int slab) {
    switch (how_) {
      case Exchange::allgather:
        for (const int lane : gathers_[static_cast<std::size_t>(slab)]) wait(lane);
        return follow(slab, kFirst, 0, rank_, kStart);
      case Exchange::chain:
        return settle_chain(slab);
      case Exchange::exscan:
        return settle_exscan(slab);
    }
  }

  void receive_state(int slab) {
    if (rank_ > 0) arriving_ = post({.slab = slab, .in = kStart, .states = true, .to = rank_ - 1, .from = rank_ - 1});
  }
  void settle_chain(int slab) {
    if (ranks_ == 1) return;
    if (rank_ > 0) wait(arriving_);
    if (!last() || last_to_all_) follow(slab, start(), own_, 1, last() ? kLast : kNext);
    if (!last()) open_.push_back(post({.slab = slab, .out = kNext, .states = true, .to = rank_ + 1, .from = rank_ + 1}));
    if (slab + 1 < slabs_) receive_state(slab + 1);
  }

  bool sends(int distance) const { return rank_ + distance < ranks_; }
  bool receives(int distance) const { return rank_ >= distance; }
  int round(int slab, int distance, int record, int free) {
    return post({.slab = slab, .out = sends(distance) ? record : kNoSlot, .in = receives(distance) ? free : kNoSlot, .to = up(distance), .from = down(distance)});
  }
  /// After the round of distance d, `run` is the record of the 2d shares that end with this one, and `before` that of those before this one among them.
  void settle_exscan(int slab) {
    int run = own_, before = kNoSlot, free = own_ + 1;
    for (int distance = 1; distance < ranks_; distance *= 2) {
      const int arrived = free++;
      wait(distance == 1 ? first_round_[static_cast<std::size_t>(slab)] : round(slab, distance, run, arrived));
      if (!receives(distance)) continue;
      if (sends(2 * distance)) add({.kind = Kind::join, .slab = slab, .out = run, .in = free, .earlier = arrived}), run = free++;
      if (before != kNoSlot) add({.kind = Kind::join, .slab = slab, .out = before, .in = free, .earlier = arrived});
      before = before == kNoSlot ? arrived : free++;
    }
    if (rank_ > 0) follow(slab, kFirst, before, 1, kStart);
    if (last_to_all_ && last()) follow(slab, kStart, own_, 1, kLast);
  }

  /// As broadcast_from_last: before the round of distance d, d ranks have the states.
  void broadcast() {
    const int place = ranks_ - 1 - rank_;  // the last rank is at place 0
    for (int distance = 1; distance < ranks_; distance *= 2) {
      const bool has = place < distance, gets = !has && place < 2 * distance;
      open_.push_back(post({.slab = -1, .out = has && place + distance < ranks_ ? kLast : kNoSlot, .in = gets ? kLast : kNoSlot, .states = true, .to = down(distance), .from = up(distance)}));
    }
  }

  Exchange how_;
  int ranks_, rank_, slabs_, own_;
  bool last_to_all_;
  int arriving_ = 0;
  std::vector<int> first_round_, open_;
  std::vector<std::vector<int>> gathers_;
  CarrySchedule made_;
};

}  // namespace

CarrySchedule carry_schedule(Exchange how, int ranks, int rank, int slabs, bool last_to_all) {
  CarrySchedule own = Builder(how, ranks, rank, slabs, last_to_all).made();
  for (int other = 0; other < ranks; ++other) own.records = std::max(own.records, Builder(how, ranks, other, slabs, last_to_all).made().records);
  return own;
}

CarrySchedule back_schedule(Exchange how, int ranks, int rank, int slabs) {
  CarrySchedule own = carry_schedule(how, ranks, ranks - 1 - rank, slabs);
  for (CarryOp& op : own.ops) {
    op.to = ranks - 1 - op.to;
    op.from = ranks - 1 - op.from;
  }
  return own;
}

}  // namespace bench::scan
