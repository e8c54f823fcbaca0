// SPDX-License-Identifier: Apache-2.0
#include "tests/support/slot_play.hpp"

#include <algorithm>

#include "src/core/error.hpp"

namespace bench::support {

SlotPlay::SlotPlay(int ranks, int slots)
    : slots_(slots), ranks_(static_cast<std::size_t>(ranks)), next_(static_cast<std::size_t>(ranks), 0) {
  for (Rank& rank : ranks_) rank.holds.resize(static_cast<std::size_t>(slots));
}

void SlotPlay::give(int rank, int slot, const std::string& what) {
  at(rank).holds[static_cast<std::size_t>(slot)] = what;
  at(rank).read_only.insert(slot);
}

void SlotPlay::fail(int rank, const std::string& what) {
  if (!failed()) problem_ = concat("rank ", rank, ", op ", next_[static_cast<std::size_t>(rank)], ": ", what);
}

bool SlotPlay::receiving(const Rank& rank, int slot) const {
  return std::ranges::any_of(rank.lanes, [&](const auto& lane) { return lane.second.hop.slot_in == slot; });
}
bool SlotPlay::sending(const Rank& rank, int slot) const {
  return std::ranges::any_of(rank.lanes, [&](const auto& lane) { return lane.second.hop.slot_out == slot; });
}

bool SlotPlay::may_write(int rank, int slot) {
  if (!slot_exists(slot)) return fail(rank, concat("writes slot ", slot, ", which does not exist")), false;
  if (at(rank).read_only.contains(slot)) return fail(rank, "writes a read-only slot"), false;
  if (receiving(at(rank), slot) || sending(at(rank), slot))
    return fail(rank, concat("writes slot ", slot, ", which is in flight")), false;
  return true;
}

void SlotPlay::read(int rank, int slot, const std::string& what) {
  if (!slot_exists(slot)) return fail(rank, concat("reads slot ", slot, ", which does not exist"));
  if (receiving(at(rank), slot)) return fail(rank, concat("reads slot ", slot, ", which is being written"));
  const auto& held = at(rank).holds[static_cast<std::size_t>(slot)];
  if (held != what)
    fail(rank, concat("takes slot ", slot, " for ", what, ", it holds ", held.value_or("nothing")));
}

void SlotPlay::write(int rank, int slot, const std::string& what) {
  if (may_write(rank, slot)) at(rank).holds[static_cast<std::size_t>(slot)] = what;
}

void SlotPlay::post(int rank, const Hop& hop) {
  if (!peer_exists(hop.to) || !peer_exists(hop.from)) return fail(rank, "peer out of range");
  if (at(rank).lanes.contains(hop.lane)) return fail(rank, concat("lane ", hop.lane, " is taken"));
  if (2 * (static_cast<int>(at(rank).lanes.size()) + 1) > kMostInFlight)
    return fail(rank, "has too much in flight");
  read(rank, hop.slot_out, hop.out);
  if (hop.slot_in == hop.slot_out) fail(rank, "receives into the slot it sends");
  if (failed() || !may_write(rank, hop.slot_in)) return;
  Wire& out = wires_[{rank, hop.to}];
  Wire& in = wires_[{hop.from, rank}];
  at(rank).lanes[hop.lane] = {hop, out.sent.size(), in.expected.size()};
  out.sent.push_back(hop.out);
  in.expected.push_back(hop.in);
  at(rank).holds[static_cast<std::size_t>(hop.slot_in)].reset();
}

bool SlotPlay::wait(int rank, int lane) {
  const auto found = at(rank).lanes.find(lane);
  if (found == at(rank).lanes.end()) return fail(rank, concat("waits for nothing on lane ", lane)), true;
  const auto& [hop, send_number, receive_number] = found->second;
  const Wire& out = wires_[{rank, hop.to}];
  const Wire& in = wires_[{hop.from, rank}];
  if (out.expected.size() <= send_number || in.sent.size() <= receive_number) return false;
  const std::string& arrived = in.sent[receive_number];
  if (arrived != hop.in) return fail(rank, concat("expects ", hop.in, ", is sent ", arrived)), true;
  at(rank).holds[static_cast<std::size_t>(hop.slot_in)] = arrived;
  at(rank).lanes.erase(found);
  return true;
}

void SlotPlay::check_end() {
  for (std::size_t r = 0; r < ranks_.size(); ++r)
    if (!ranks_[r].lanes.empty()) fail(static_cast<int>(r), "ends with an exchange in flight");
  for (const auto& [ends, wire] : wires_)
    if (wire.sent.size() != wire.expected.size())
      fail(ends.second, concat("does not receive all that rank ", ends.first, " sends"));
}

}  // namespace bench::support
