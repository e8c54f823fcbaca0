// SPDX-License-Identifier: Apache-2.0
#include "tests/support/ring_bwd_checker.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

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
};

struct Rank {
  std::vector<Content> keys, sums;
  std::map<Kind, Flight> in_flight;    // by the kind of the post
  std::map<int, std::size_t> tickets;  // receives posted, by sender
  std::vector<int> computed;           // times by source
  std::size_t next = 0;
};

class Play {
 public:
  explicit Play(const std::vector<std::vector<RingBwdOp>>& lists) : lists_(lists), ranks_(lists.size()) {
    for (std::size_t r = 0; r < lists.size(); ++r) {
      ranks_[r].keys.assign(attention::kRingKeySlots, {});
      ranks_[r].keys[0].block = static_cast<int>(r);
      ranks_[r].sums.assign(attention::kRingSumSlots, {.sums = true});
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
        if (!wait(r, rank, Kind::post_keys)) return false;
        break;
      case Kind::wait_sums:
        if (!wait(r, rank, Kind::post_sums)) return false;
        break;
    }
    ++rank.next;
    return true;
  }

  static bool receiving(const Rank& rank, Kind kind, int slot) {
    const auto it = rank.in_flight.find(kind);
    return it != rank.in_flight.end() && it->second.op.slot_in == slot;
  }
  static bool sending(const Rank& rank, Kind kind, int slot) {
    const auto it = rank.in_flight.find(kind);
    return it != rank.in_flight.end() && it->second.op.slot_out == slot;
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
    if (rank.in_flight.count(op.kind) != 0) return fail(r, "posts an exchange while one of its kind runs");
    if (op.slot_in == 0) return fail(r, "receives into its own block");
    if (op.slot_in == op.slot_out) return fail(r, "receives into the slot it sends");
    if (out->block != op.source_out) return fail(r, "sends another block than it says");
    wires_[{r, op.to}].push_back(*out);
    rank.in_flight[op.kind] = {op, rank.tickets[op.from]++};
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

  bool wait(int r, Rank& rank, Kind kind) {
    const auto it = rank.in_flight.find(kind);
    if (it == rank.in_flight.end()) return fail(r, "waits for nothing"), true;
    const auto [op, ticket] = it->second;
    const std::vector<Content>& wire = wires_[{op.from, r}];
    if (wire.size() <= ticket) return false;
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

std::string check_ring_bwd(const std::vector<std::vector<RingBwdOp>>& ranks) {
  return Play(ranks).run();
}

}  // namespace bench::support
