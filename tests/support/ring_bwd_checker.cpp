// SPDX-License-Identifier: Apache-2.0
#include "tests/support/ring_bwd_checker.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "kernels/attention/ring_schedule.hpp"
#include "src/core/error.hpp"

namespace bench::support {
namespace {

using attention::RingBwdOp;
using Kind = RingBwdOp::Kind;
constexpr int kNothing = -1;

/// What a slot or a message holds: a block, and for sums the ranks whose part is in them.
struct Content {
  bool sums = false;
  int block = kNothing;
  std::set<int> parts = {};
};

struct Flight {
  RingBwdOp op;
  std::size_t ticket;  // number of the message from op.from that it receives
  std::size_t sent;    // number of its own among the messages to op.to
};

struct Rank {
  std::vector<Content> keys, sums;
  std::map<std::pair<Kind, int>, Flight> in_flight;  // by the kind of the post and the lane
  std::map<int, std::size_t> tickets;                // receives posted, by sender
  std::vector<int> computed;                         // times by source
  std::size_t next = 0;
};

class Play {
 public:
  Play(const std::vector<std::vector<RingBwdOp>>& lists, int key_slots, int sum_slots)
      : lists_(lists), ranks_(lists.size()) {
    for (std::size_t r = 0; r < lists.size(); ++r) {
      ranks_[r].keys.assign(static_cast<std::size_t>(key_slots), {});
      ranks_[r].keys[0].block = static_cast<int>(r);
      ranks_[r].sums.assign(static_cast<std::size_t>(sum_slots), {.sums = true});
      ranks_[r].computed.assign(lists.size(), 0);
    }
  }

  std::string run() {
    bool moved = true;
    while (moved && problem_.empty()) {
      moved = false;
      for (std::size_t r = 0; r < ranks_.size(); ++r)
        while (problem_.empty() && ranks_[r].next < lists_[r].size() && step(static_cast<int>(r)))
          moved = true;
    }
    if (problem_.empty()) check_end();
    return problem_;
  }

 private:
  void fail(int rank, const std::string& what) {
    if (problem_.empty())
      problem_ = concat("rank ", rank, ", op ", ranks_[static_cast<std::size_t>(rank)].next, ": ", what);
  }

  /// False when the rank has to wait for a peer.
  bool step(int r) {
    Rank& rank = ranks_[static_cast<std::size_t>(r)];
    const RingBwdOp& op = lists_[static_cast<std::size_t>(r)][rank.next];
    switch (op.kind) {
      case Kind::post_keys:
      case Kind::post_sums:
        post(r, rank, op);
        break;
      case Kind::compute:
        compute(r, rank, op);
        break;
      case Kind::add:
        add(r, rank, op);
        break;
      case Kind::wait_keys:
        if (!wait(r, rank, {Kind::post_keys, op.lane})) return false;
        break;
      case Kind::wait_sums:
        if (!wait(r, rank, {Kind::post_sums, op.lane})) return false;
        break;
    }
    ++rank.next;
    return true;
  }

  static bool receiving(const Rank& rank, Kind kind, int slot) {
    return std::ranges::any_of(rank.in_flight, [&](const auto& flight) {
      return flight.first.first == kind && flight.second.op.slot_in == slot;
    });
  }
  static bool sending(const Rank& rank, Kind kind, int slot) {
    return std::ranges::any_of(rank.in_flight, [&](const auto& flight) {
      return flight.first.first == kind && flight.second.op.slot_out == slot;
    });
  }
  static std::vector<Content>& slots(Rank& rank, Kind kind) {
    return kind == Kind::post_keys ? rank.keys : rank.sums;
  }
  static Content* slot(Rank& rank, Kind kind, int index) {
    auto& all = slots(rank, kind);
    return index >= 0 && index < static_cast<int>(all.size()) ? &all[static_cast<std::size_t>(index)]
                                                              : nullptr;
  }
  bool peer_exists(int peer) const { return peer >= 0 && peer < static_cast<int>(ranks_.size()); }

  void post(int r, Rank& rank, const RingBwdOp& op) {
    const Content* out = slot(rank, op.kind, op.slot_out);
    Content* in = slot(rank, op.kind, op.slot_in);
    if (!peer_exists(op.to) || !peer_exists(op.from)) return fail(r, "peer out of range");
    if (out == nullptr || in == nullptr) return fail(r, "slot out of range");
    if (op.lane < 0 || op.lane >= attention::kExchangeLanes) return fail(r, "lane out of range");
    if (rank.in_flight.count({op.kind, op.lane}) != 0)
      return fail(r, "posts an exchange while one of its kind runs on the lane");
    if (receiving(rank, op.kind, op.slot_out)) return fail(r, "sends a slot that is being written");
    if (receiving(rank, op.kind, op.slot_in) || sending(rank, op.kind, op.slot_in))
      return fail(r, "receives into a slot in flight");
    if (op.slot_in == 0) return fail(r, "receives into its own block");
    if (op.slot_in == op.slot_out) return fail(r, "receives into the slot it sends");
    if (out->block != op.source_out) return fail(r, "sends another block than it says");
    std::vector<Content>& wire = wires_[{r, op.to}];
    rank.in_flight[{op.kind, op.lane}] = {op, rank.tickets[op.from]++, wire.size()};
    wire.push_back(*out);
    in->block = kNothing;
  }

  void compute(int r, Rank& rank, const RingBwdOp& op) {
    const Content* keys = slot(rank, Kind::post_keys, op.slot_out);
    Content* sums = slot(rank, Kind::post_sums, op.slot_in);
    if (keys == nullptr || sums == nullptr) return fail(r, "slot out of range");
    if (receiving(rank, Kind::post_keys, op.slot_out))
      return fail(r, "computes on keys that are being written");
    if (receiving(rank, Kind::post_sums, op.slot_in) || sending(rank, Kind::post_sums, op.slot_in))
      return fail(r, "computes sums into a slot in flight");
    if (keys->block != op.source_out) return fail(r, "computes on another block than it says");
    if (op.source_in != op.source_out) return fail(r, "computes sums of another block than the keys'");
    *sums = {true, op.source_out, {r}};
    if (++rank.computed[static_cast<std::size_t>(op.source_out)] > 1)
      fail(r, concat("meets block ", op.source_out, " twice"));
  }

  void add(int r, Rank& rank, const RingBwdOp& op) {
    const Content* from = slot(rank, Kind::post_sums, op.slot_out);
    Content* to = slot(rank, Kind::post_sums, op.slot_in);
    if (from == nullptr || to == nullptr || from == to) return fail(r, "slot out of range");
    if (receiving(rank, Kind::post_sums, op.slot_out)) return fail(r, "adds sums that are being written");
    if (receiving(rank, Kind::post_sums, op.slot_in) || sending(rank, Kind::post_sums, op.slot_in))
      return fail(r, "adds to a slot in flight");
    if (from->block != op.source_out || to->block != op.source_out)
      return fail(r, "adds sums of another block");
    for (const int part : from->parts)
      if (!to->parts.insert(part).second) return fail(r, concat("adds the part of rank ", part, " twice"));
  }

  bool wait(int r, Rank& rank, const std::pair<Kind, int>& lane) {
    const Kind kind = lane.first;
    const auto it = rank.in_flight.find(lane);
    if (it == rank.in_flight.end()) return fail(r, "waits for nothing"), true;
    const auto [op, ticket, sent] = it->second;
    const std::vector<Content>& wire = wires_[{op.from, r}];
    if (wire.size() <= ticket || ranks_[static_cast<std::size_t>(op.to)].tickets[r] <= sent) return false;
    const Content& message = wire[ticket];
    if (message.sums != (kind == Kind::post_sums))
      return fail(r, "keys and sums arrive in another order"), true;
    if (message.block != op.source_in)
      return fail(r, concat("expects block ", op.source_in, ", is sent ", message.block)), true;
    *slot(rank, kind, op.slot_in) = message;
    rank.in_flight.erase(it);
    return true;
  }

  void check_end() {
    for (std::size_t i = 0; i < ranks_.size(); ++i) {
      const int r = static_cast<int>(i);
      if (ranks_[i].next < lists_[i].size()) fail(r, "waits for ever");
      if (!ranks_[i].in_flight.empty()) fail(r, "ends with an exchange in flight");
      for (std::size_t source = 0; source < ranks_.size(); ++source)
        if (ranks_[i].computed[source] != 1) fail(r, concat("never meets block ", source));
      if (ranks_[i].sums[0].block != r) fail(r, "has no sums of its own block");
      if (ranks_[i].sums[0].parts.size() != ranks_.size()) fail(r, "lacks a rank's part of its sums");
    }
    for (const auto& [ends, wire] : wires_)
      if (wire.size() != ranks_[static_cast<std::size_t>(ends.second)].tickets[ends.first])
        fail(ends.second, concat("never receives what rank ", ends.first, " sent"));
  }

  const std::vector<std::vector<RingBwdOp>>& lists_;
  std::vector<Rank> ranks_;
  std::map<std::pair<int, int>, std::vector<Content>> wires_;  // (from, to): all messages ever sent
  std::string problem_;
};

}  // namespace

std::string check_ring_bwd(const std::vector<std::vector<RingBwdOp>>& ranks, int key_slots, int sum_slots) {
  return Play(ranks, key_slots, sum_slots).run();
}

}  // namespace bench::support
