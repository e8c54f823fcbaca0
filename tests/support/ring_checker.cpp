// SPDX-License-Identifier: Apache-2.0
#include "tests/support/ring_checker.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "src/core/error.hpp"

namespace bench::support {
namespace {

using attention::RingOp;
constexpr int kNothing = -1;

struct Rank {
  std::vector<int> holds;        // source by slot
  std::deque<RingOp> in_flight;  // posted, oldest first
  std::vector<int> computed;     // times by source
  std::size_t next = 0;
};

class Play {
 public:
  explicit Play(const std::vector<std::vector<RingOp>>& lists) : lists_(lists), ranks_(lists.size()) {
    for (std::size_t r = 0; r < lists.size(); ++r) {
      ranks_[r].holds.assign(attention::kRingSlots, kNothing);
      ranks_[r].holds[0] = static_cast<int>(r);
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
    const RingOp& op = lists_[static_cast<std::size_t>(r)][rank.next];
    if (op.kind == RingOp::Kind::post) post(r, rank, op);
    if (op.kind == RingOp::Kind::compute) compute(r, rank, op);
    if (op.kind == RingOp::Kind::wait && !wait(r, rank)) return false;
    ++rank.next;
    return true;
  }

  bool receiving(const Rank& rank, int slot) const {
    return std::ranges::any_of(rank.in_flight, [&](const RingOp& op) { return op.slot_in == slot; });
  }
  bool sending(const Rank& rank, int slot) const {
    return std::ranges::any_of(rank.in_flight, [&](const RingOp& op) { return op.slot_out == slot; });
  }
  bool peer_exists(int peer) const { return peer >= 0 && peer < static_cast<int>(ranks_.size()); }

  void post(int r, Rank& rank, const RingOp& op) {
    if (!peer_exists(op.to) || !peer_exists(op.from)) return fail(r, "peer out of range");
    if (op.slot_in == 0) return fail(r, "receives into its own block");
    if (op.slot_in == op.slot_out) return fail(r, "receives into the slot it sends");
    if (receiving(rank, op.slot_in) || sending(rank, op.slot_in))
      return fail(r, "receives into a slot in flight");
    if (receiving(rank, op.slot_out)) return fail(r, "sends a slot that is being written");
    if (rank.holds[static_cast<std::size_t>(op.slot_out)] != op.source_out)
      return fail(r, "sends another block than it says");
    wires_[{r, op.to}].push_back(op.source_out);
    rank.holds[static_cast<std::size_t>(op.slot_in)] = kNothing;
    rank.in_flight.push_back(op);
  }

  void compute(int r, Rank& rank, const RingOp& op) {
    if (receiving(rank, op.slot_out)) return fail(r, "computes on a slot that is being written");
    if (rank.holds[static_cast<std::size_t>(op.slot_out)] != op.source_out)
      return fail(r, "computes on another block than it says");
    if (++rank.computed[static_cast<std::size_t>(op.source_out)] > 1)
      fail(r, concat("meets block ", op.source_out, " twice"));
  }

  bool wait(int r, Rank& rank) {
    if (rank.in_flight.empty()) return fail(r, "waits for nothing"), true;
    const RingOp op = rank.in_flight.front();
    std::deque<int>& wire = wires_[{op.from, r}];
    if (wire.empty()) return false;
    if (wire.front() != op.source_in)
      return fail(r, concat("expects block ", op.source_in, ", is sent ", wire.front())), true;
    rank.holds[static_cast<std::size_t>(op.slot_in)] = wire.front();
    wire.pop_front();
    rank.in_flight.pop_front();
    return true;
  }

  void check_end() {
    for (std::size_t i = 0; i < ranks_.size(); ++i) {
      const int r = static_cast<int>(i);
      if (ranks_[i].next < lists_[i].size()) fail(r, "waits for ever");
      if (!ranks_[i].in_flight.empty()) fail(r, "ends with an exchange in flight");
      for (std::size_t source = 0; source < ranks_.size(); ++source)
        if (ranks_[i].computed[source] != 1) fail(r, concat("never meets block ", source));
    }
    for (const auto& [ends, wire] : wires_)
      if (!wire.empty()) fail(ends.second, concat("never receives what rank ", ends.first, " sent"));
  }

  const std::vector<std::vector<RingOp>>& lists_;
  std::vector<Rank> ranks_;
  std::map<std::pair<int, int>, std::deque<int>> wires_;  // (from, to): blocks under way
  std::string problem_;
};

}  // namespace

std::string check_ring(const std::vector<std::vector<RingOp>>& ranks) {
  return Play(ranks).run();
}

}  // namespace bench::support
